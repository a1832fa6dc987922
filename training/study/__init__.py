"""A study: several ways of training, several seeds, one report."""

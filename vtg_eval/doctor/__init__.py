"""Check that a model is given true times."""

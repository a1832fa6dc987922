"""Training samples: their format, where they come from, which are kept."""

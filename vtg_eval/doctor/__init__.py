"""Proof that a model is told true times."""

"""Training: makes the models that the harness scores."""

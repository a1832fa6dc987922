"""From a sample and its frames to a model's input: what the adapters share."""

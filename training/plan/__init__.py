"""The cost of a recipe before it is run: time, memory, tokens."""

"""What a recipe will take: time, memory, tokens."""

"""What the user sees: text without invisible characters, and where it is written."""

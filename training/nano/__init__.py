"""How the shipped model nano was made."""

"""Parsing: from an answer's text to spans, or to the letter of an option."""

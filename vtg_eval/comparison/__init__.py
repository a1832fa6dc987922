"""Runs against each other: pairs of values, differences, how many samples an effect needs."""

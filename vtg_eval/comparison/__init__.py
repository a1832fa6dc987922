"""Comparison of runs: pairs of values, differences, how many samples an effect needs."""

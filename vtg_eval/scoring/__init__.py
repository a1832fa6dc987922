"""Scoring: readings of answers become a table of metrics, one module for each metric family."""

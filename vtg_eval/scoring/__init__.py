"""Scoring: parsed answers become a table of metrics, one module for each metric family."""

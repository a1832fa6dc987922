"""Metric families: pure, vectorised functions on arrays; no I/O, no torch."""

"""Probes: changes of a video or a query after which a model that looks answers otherwise."""

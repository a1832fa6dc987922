"""Statistics on arrays: intervals, p-values, power."""

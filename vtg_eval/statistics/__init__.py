"""Pure numbers: intervals, p-values, power."""

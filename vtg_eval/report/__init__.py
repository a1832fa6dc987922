"""Reports: tables people can paste."""

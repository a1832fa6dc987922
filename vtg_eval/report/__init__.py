"""Reports: tables people can paste, and a page to look at."""

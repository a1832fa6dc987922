"""Reports: text tables, and the HTML page of one or two runs."""

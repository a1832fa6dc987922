"""How annotation files become samples: their layouts, groups of samples, subtitles."""

"""Files and folders: JSON, TOML, digests, files written whole, one folder for one piece of work."""

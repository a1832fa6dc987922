"""Files and folders: JSON, TOML, digests, and one folder for one piece of work."""

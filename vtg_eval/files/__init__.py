"""Files and folders: JSON, TOML, digests, atomic writes, folders with an owner."""

"""A task's files: download, unpacking and checks."""

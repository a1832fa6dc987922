"""A task's files: getting them, and checking them before a run is believed."""

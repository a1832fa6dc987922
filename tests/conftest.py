"""Settings for all tests."""

from hypothesis import settings

pytest_plugins = ["browser_case"]

settings.register_profile("shared machine", deadline=None)  # a busy machine is no failure
settings.load_profile("shared machine")

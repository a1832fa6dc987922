"""Settings for all tests."""

import signal

from hypothesis import settings

pytest_plugins = ["tests.browser_case"]

settings.register_profile("shared machine", deadline=None)  # a busy machine is no failure
settings.load_profile("shared machine")

# a shell that starts the tests in the background lets them ignore Ctrl-C, which some tests send
signal.signal(signal.SIGINT, signal.default_int_handler)

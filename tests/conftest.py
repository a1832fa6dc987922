"""Settings for all tests."""

import os
import signal

from hypothesis import settings

pytest_plugins = ["tests.browser_case", "tests.ray_case"]

settings.register_profile("shared machine", deadline=None)  # a slow machine must not fail a test
settings.load_profile("shared machine")

# two tests at a time on two cores: threads of one would take the other's core
os.environ.setdefault("OMP_NUM_THREADS", "1")

# no test asks the real hub; read when huggingface_hub is imported
os.environ["HF_HUB_OFFLINE"] = "1"

# tests started in the background of a shell ignore Ctrl-C, which some tests send
signal.signal(signal.SIGINT, signal.default_int_handler)

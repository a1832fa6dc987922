"""vtg-eval: measure how well a video-language model finds moments in video."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("vtg-eval")
except PackageNotFoundError:  # a bare source tree
    __version__ = "0+unknown"

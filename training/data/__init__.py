"""Training samples: their format, where they come from, which are kept."""

from .converters import convert
from .sample import write_samples

__all__ = ["convert", "write_samples"]

"""Where tests find the benchmarks' annotations and the results of other evaluators."""

import os
from pathlib import Path

import pytest


def _needs(*variables: str) -> pytest.MarkDecorator:
    unset = [name for name in variables if not os.environ.get(name)]
    return pytest.mark.skipif(bool(unset), reason=f"not set: {', '.join(unset)}")


BENCHMARKS = Path(os.environ.get("VTG_EVAL_BENCHMARKS") or "unset")
GOLDEN = Path(os.environ.get("VTG_EVAL_GOLDEN") or "unset")
needs_benchmarks = _needs("VTG_EVAL_BENCHMARKS")
needs_golden = _needs("VTG_EVAL_GOLDEN")
needs_both = _needs("VTG_EVAL_BENCHMARKS", "VTG_EVAL_GOLDEN")

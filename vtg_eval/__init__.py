"""vtg-eval: measure how well a video-language model finds moments in video.

This is the Python interface (docs/python.md). A name is imported when it is first used, so that
`import vtg_eval` is quick.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vtg_eval.adapter import Adapter as Adapter
    from vtg_eval.api.benchmarks import list_tasks as list_tasks
    from vtg_eval.api.benchmarks import samples as samples
    from vtg_eval.api.compare import compare as compare
    from vtg_eval.api.evaluate import evaluate as evaluate
    from vtg_eval.api.frames import metrics_frame as metrics_frame
    from vtg_eval.api.runs import load_run as load_run
    from vtg_eval.api.runs import score as score
    from vtg_eval.engines.base import Engine as Engine
    from vtg_eval.errors import DataError as DataError
    from vtg_eval.errors import UserError as UserError
    from vtg_eval.hookspecs import AdapterEntry as AdapterEntry
    from vtg_eval.hookspecs import Entry as Entry
    from vtg_eval.hookspecs import hookimpl as hookimpl
    from vtg_eval.protocol import Protocol as Protocol
    from vtg_eval.task import Task as Task
    from vtg_eval.types import Prediction as Prediction
    from vtg_eval.types import Sample as Sample
    from vtg_eval.types import Span as Span
    from vtg_eval.types import Target as Target

try:
    __version__ = version("vtg-eval")
except PackageNotFoundError:  # a bare source tree
    __version__ = "0+unknown"

_MODULES = {
    "evaluate": "api.evaluate",
    "score": "api.runs",
    "load_run": "api.runs",
    "compare": "api.compare",
    "metrics_frame": "api.frames",
    "samples": "api.benchmarks",
    "list_tasks": "api.benchmarks",
    "UserError": "errors",
    "DataError": "errors",
    # what plug-ins are made of
    "Task": "task",
    "Adapter": "adapter",
    "Engine": "engines.base",
    "Protocol": "protocol",
    "Sample": "types",
    "Target": "types",
    "Span": "types",
    "Prediction": "types",
    "Entry": "hookspecs",
    "AdapterEntry": "hookspecs",
    "hookimpl": "hookspecs",
}
__all__ = ["__version__", *_MODULES]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

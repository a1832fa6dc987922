"""What this package provides, by name only: modules are imported when they are used."""

from collections.abc import Sequence

from vtg_eval.hookspecs import AdapterEntry, Entry, hookimpl


@hookimpl
def vtg_tasks() -> Sequence[Entry]:
    return [Entry("kitchen", f"{__name__}.kitchen:TASK", "three questions about two videos")]


@hookimpl
def vtg_adapters() -> Sequence[AdapterEntry]:
    # engine="replay": this "model" computes its answers itself. One that runs on vllm or
    # transformers names the `architectures` of its config.json instead.
    target = f"{__name__}.last_words:LastWordsAdapter"
    return [AdapterEntry("last-words", target, "always the last so many seconds", engine="replay")]

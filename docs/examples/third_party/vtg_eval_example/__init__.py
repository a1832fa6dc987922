"""What this package provides, by name only: modules are imported when they are used."""

from collections.abc import Sequence

from vtg_eval.hookspecs import AdapterEntry, Entry, hookimpl


@hookimpl
def vtg_tasks() -> Sequence[Entry]:
    return [Entry("kitchen", f"{__name__}.kitchen:TASK", "three questions about two videos")]


@hookimpl
def vtg_adapters() -> Sequence[AdapterEntry]:
    return [
        # found by `architectures` in a checkpoint's config.json; runs on vLLM and transformers
        AdapterEntry(
            "llava_next_video",
            f"{__name__}.llava_next_video:LlavaNextVideoAdapter",
            "LLaVA-NeXT-Video",
            architectures=("LlavaNextVideoForConditionalGeneration",),
        ),
        # engine="replay": this "model" computes its answers itself
        AdapterEntry(
            "last-words",
            f"{__name__}.last_words:LastWordsAdapter",
            "always the last so many seconds",
            engine="replay",
        ),
    ]

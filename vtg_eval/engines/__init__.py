"""Engines: what runs a model. One module each, behind `base.Engine`."""

from collections.abc import Sequence

from vtg_eval.hookspecs import Entry, hookimpl


@hookimpl
def vtg_engines() -> Sequence[Entry]:
    """Provide the built-in engines."""
    return (
        Entry("vllm", "vtg_eval.engines.vllm:VllmEngine", "vLLM, in batches, streaming"),
        Entry(
            "transformers",
            "vtg_eval.engines.transformers:TransformersEngine",
            "Hugging Face transformers, in batches",
        ),
        Entry(
            "openai",
            "vtg_eval.engines.openai:OpenAIEngine",
            "OpenAI-compatible servers (vLLM, SGLang, hosted)",
        ),
        Entry(
            "replay",
            "vtg_eval.engines.replay:ReplayEngine",
            "answers that exist already (baselines, an earlier run)",
        ),
    )

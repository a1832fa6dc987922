"""Video: probing, choosing frames, decoding them exactly, keeping them on disk."""

from collections.abc import Sequence

from vtg_eval.hookspecs import Entry, hookimpl


@hookimpl
def vtg_decoders() -> Sequence[Entry]:
    """Provide the built-in decoders."""
    return (
        Entry("pyav", "vtg_eval.video.pyav:PyavDecoder", "PyAV: exact presentation times"),
        Entry("decord", "vtg_eval.video.decord:DecordDecoder", "for protocols that used it"),
    )

"""Benchmarks: one module and one card each. Protocols are data beside them."""

from collections.abc import Sequence
from pathlib import Path

from vtg_eval.hookspecs import Entry, hookimpl

HERE = Path(__file__).parent
TASKS = (
    ("charades_sta", "Charades-STA: indoor activities"),
    ("activitynet_captions", "ActivityNet Captions: described moments of long videos"),
    ("qvhighlights", "QVHighlights: moments and highlights of vlogs and news"),
    ("charades_timelens", "TimeLens-Bench: Charades-STA annotated anew"),
    ("activitynet_timelens", "TimeLens-Bench: ActivityNet Captions annotated anew"),
    ("qvhighlights_timelens", "TimeLens-Bench: QVHighlights annotated anew"),
    ("nextgqa", "NExT-GQA: questions answered and grounded"),
    ("cgbench", "CG-Bench: long videos, questions and their clues"),
    ("rextime", "ReXTime: reasoning across time, questions and moments"),
    ("mlvu", "MLVU: nine tasks on long videos"),
    ("videomme", "Video-MME: short, medium and long videos of all kinds"),
    ("lvbench", "LVBench: questions on videos of an hour"),
    ("charades_cd", "Charades-CD: Charades-STA with other distributions of moments"),
    ("activitynet_cd", "ActivityNet-CD: ActivityNet Captions with other distributions"),
    ("charades_cg", "Charades-CG: new words and new compositions"),
    ("tacos", "TACoS: kitchen activities in long videos"),
    ("didemo", "DiDeMo: moments of thirty seconds in steps of five"),
    ("tvgbench", "TVGBench: five sources, eleven kinds of queries"),
    ("tempcompass", "TempCompass: action, direction, speed, order, change"),
    ("mvbench", "MVBench: twenty kinds of questions on short videos"),
    ("longvideobench", "LongVideoBench: questions that refer to a moment of a long video"),
    ("synth_vtg", "generated H.264 videos, exact truth"),
    ("synth_long", "generated H.264 videos, longer than those of synth_vtg"),
)


@hookimpl
def vtg_tasks() -> Sequence[Entry]:
    """Provide the built-in benchmarks."""
    return tuple(Entry(name, f"{__name__}.{name}:TASK", summary) for name, summary in TASKS)


@hookimpl
def vtg_protocols() -> Sequence[Path]:
    """Provide the built-in protocols."""
    return sorted((HERE / "protocols").glob("*.toml"))

"""TaRO's own figures for answers to QVHighlights, whose samples have several true windows."""

from tests.golden_case import golden
from tests.reference_data import BENCHMARKS, needs_both
from vtg_eval.registry import Registry
from vtg_eval.scoring.score import score
from vtg_eval.types import Prediction, Sample

pytestmark = needs_both


def test_taro_on_qvhighlights():
    name = "taro/qvhighlights_val_seed941"
    official, answers = golden(f"{name}.official.json"), golden(f"{name}.preds.jsonl")
    registry = Registry.discover()
    annotated = registry.task("qvhighlights").samples(BENCHMARKS, "val")
    samples = [
        Sample(sample.id, sample.video, sample.query, sample.target, sample.duration)
        for sample in annotated
    ]
    predictions = [Prediction(str(row["qid"]), text=row["text"]) for row in answers]
    card = registry.task("charades_sta").card  # a task of the family that the protocol is for
    result = score(card, samples, predictions, registry.protocol_for(card, "taro@1"), "test")
    figures = official["figures"]
    assert result.metrics == {
        "mIoU": 100 * figures["mIoU"],
        **{f"R1@{t}": 100 * figures[f"Recall@{t}"] for t in (0.3, 0.5, 0.7)},
    }

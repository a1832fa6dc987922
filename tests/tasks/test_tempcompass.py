import json
from pathlib import Path

import pytest
from vtg_eval.tasks.tempcompass import TASK

from tests.reference_data import BENCHMARKS, needs_benchmarks
from vtg_eval.errors import DataError, UserError
from vtg_eval.question import question
from vtg_eval.registry import Registry
from vtg_eval.types import OutputType

CHOICES = "Who runs? \nA. a man\nB.a dog \nC. it is 3 p.m."
CAPTIONS = "Which fits?\nOption 1: He runs.\nOption 2: He sits: still."
FILES = {
    "multi-choice.json": {
        "1": {"action": [{"question": CHOICES, "answer": "B.a dog "}]},
        "1_reverse": {"order": [{"question": "Q\nA. x\nB. y", "answer": "A. x"}]},
    },
    "yes_no.json": {
        "1": {"action": [{"question": "Is it?", "answer": a} for a in ("no", "yes")]},
    },
    "caption_matching.json": {
        "1": {"action": [{"question": CAPTIONS, "answer": "Option 2: He sits: still."}]},
    },
    "meta_info.json": {
        "1": {"eval_dim": {"action": {"type": "fine-grained action"}, "order": None}},
        "1_reverse": {"eval_dim": {"action": None}},
    },
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, table in FILES.items():
        (tmp_path / name).write_text(json.dumps(table))
    return tmp_path


def rewrite(root: Path, name: str, table: object) -> None:
    (root / name).write_text(json.dumps(table))


def test_options_are_split_from_the_question(root):
    first, second = TASK.samples(root, "multi_choice")
    assert (first.id, first.video, first.asks) == ("1/action/0", "1", OutputType.CHOICE)
    assert first.query == "Who runs? ", "white space is kept"
    assert first.options == ("a man", "a dog ", "it is 3 p.m.")
    assert first.target.choice == "B"
    assert (second.id, second.target.choice) == ("1_reverse/order/0", "A")


def test_groups_are_the_aspect_and_the_finer_one(root):
    first, second = TASK.samples(root, "multi_choice")
    assert dict(first.groups) == {"aspect": "action", "fine-grained aspect": "fine-grained action"}
    assert dict(second.groups) == {"aspect": "order", "fine-grained aspect": "order"}


def test_yes_and_no_are_options(root):
    no, yes = TASK.samples(root, "yes_no")
    assert no.options == ("yes", "no")
    assert (no.target.choice, yes.target.choice) == ("B", "A")
    assert (no.id, yes.id) == ("1/action/0", "1/action/1")


def test_captions_keep_their_labels(root):
    (sample,) = TASK.samples(root, "caption_matching")
    assert sample.query == "Which fits?"
    assert sample.options == ("Option 1: He runs.", "Option 2: He sits: still.")
    assert sample.target.choice == "B"


@pytest.mark.parametrize(
    ("name", "split", "row"),
    [
        ("multi-choice.json", "multi_choice", {"question": "Q\nA. x\nB. y", "answer": "C. z"}),
        ("multi-choice.json", "multi_choice", {"question": "Q\nA. x\nC. y", "answer": "A. x"}),
        ("multi-choice.json", "multi_choice", {"question": "Q\nA. x\nB y", "answer": "A. x"}),
        ("multi-choice.json", "multi_choice", {"question": "Q", "answer": "A. x"}),
        ("multi-choice.json", "multi_choice", {"question": 3}),
        ("yes_no.json", "yes_no", {"question": "Q", "answer": "Yes"}),
        ("caption_matching.json", "caption_matching", {"question": "Q\nx\ny", "answer": "x"}),
    ],
)
def test_a_broken_record_is_named(root, name, split, row):
    rewrite(root, name, {"1": {"action": [row]}})
    with pytest.raises(DataError, match=rf"{name}, key 1, action\[0\]"):
        TASK.samples(root, split)


def test_a_video_without_meta_information_is_named(root):
    rewrite(root, "meta_info.json", {})
    with pytest.raises(DataError, match=r"key 1, action\[0\]: meta_info.json has no video 1"):
        TASK.samples(root, "yes_no")
    rewrite(root, "meta_info.json", {"1": {"eval_dim": {"action": None}}})
    with pytest.raises(DataError, match=r'meta_info.json, key 1, eval_dim: "action"'):
        TASK.samples(root, "yes_no")


def test_the_error_for_a_missing_file_names_its_source(tmp_path):
    with pytest.raises(UserError, match="llyx97/TempCompass"):
        TASK.samples(tmp_path, "yes_no")


def test_a_videos_path_is_its_name_in_the_videos_folder(root):
    assert TASK.video_path(root, "1_reverse") == root / "videos/1_reverse.mp4"


ENDINGS = {
    "multi_choice": "\nPlease directly give the best option:",
    "yes_no": "\nPlease answer yes or no:",
    "caption_matching": "\nPlease directly give the best option:",
}


@needs_benchmarks
@pytest.mark.parametrize("split", ENDINGS)
def test_the_official_prompts_are_reproduced_exactly(split):
    """Three questions differ by a space after an option's letter, as the protocol notes."""
    rule = Registry.discover().protocol_for(TASK.card, "tempcompass@1", split).prompt
    path = BENCHMARKS / f"tempcompass/{split.replace('multi_c', 'multi-c')}.json"
    written = [
        row["question"] + ENDINGS[split]
        for aspects in json.loads(path.read_text()).values()
        for rows in aspects.values()
        for row in rows
    ]
    samples = TASK.samples(BENCHMARKS, split)
    odd = [
        sample.id
        for sample, text in zip(samples, written, strict=True)
        if question(sample, rule) != text
    ]
    expected = ["1100319395_reverse/direction/2", "1022115337/order/1", "1022115337/order/2"]
    assert sorted(odd) == (sorted(expected) if split == "multi_choice" else [])


@needs_benchmarks
def test_the_gotchas_of_the_card_are_true():
    for split in TASK.card.splits:
        samples = TASK.samples(BENCHMARKS, split.name)
        assert len({s.group("aspect") for s in samples}) == 5
        assert len({s.group("fine-grained aspect") for s in samples}) == 11
    sizes = [len(s.options) for s in TASK.samples(BENCHMARKS, "multi_choice")]
    assert [sizes.count(n) for n in (2, 3, 4)] == [6, 899, 675]

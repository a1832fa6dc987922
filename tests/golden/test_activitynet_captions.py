"""Every number of the official scripts on ActivityNet Captions, to the last digit."""

import pytest

from tests.grounding_golden import (
    by_protocol,
    golden,
    numbered,
    numbers,
    ranked,
    result,
    texts,
    time_r1,
    two_d_tan,
)
from tests.reference_data import needs_both

pytestmark = needs_both
TASK, RECALLS = "activitynet_captions", ("R1@0.3", "R1@0.5", "R1@0.7")


@pytest.fixture(scope="module")
def official():
    return golden("activitynet_captions/seed44.official.json")


@pytest.fixture(scope="module")
def rows():
    return golden("activitynet_captions/seed44.preds.jsonl")


@pytest.fixture(scope="module")
def ids(rows):
    return list(numbered(row["video"] for row in rows))


@pytest.fixture(scope="module")
def from_text(rows, ids, tmp_path_factory):
    """The texts under every protocol, from one call: a score shows the others beside it."""
    folder = tmp_path_factory.mktemp("texts")
    return result(folder, TASK, "time-r1@1", texts(rows, ids))


def test_time_r1(from_text, official, rows, ids, tmp_path):
    wanted = official["time_r1_eval_all"]
    assert from_text["metrics"] == time_r1(wanted["text"])
    assert (from_text["n_scored"], from_text["n_expected"]) == (17031, 17031)
    found = result(tmp_path, TASK, "time-r1@1", numbers(rows, ids))
    assert found["metrics"] == time_r1(wanted["pred"])


def test_timezero(from_text, official):
    found, wanted = by_protocol(from_text)["timezero@1"], official["timezero_evaluate"]
    assert found["mIoU"] == wanted["mIoU"] * 100
    assert {t: found[f"R1@{t}"] for t in wanted["R"]} == {
        t: v * 100 for t, v in wanted["R"].items()
    }


def test_timechat(from_text, official):
    found = by_protocol(from_text)["timechat@1"]
    lines = official["timechat_eval_tvg"]["stdout"].splitlines()[1:]
    assert [found[name] for name in RECALLS] == [float(line.split(": ")[1]) for line in lines]


def test_timelens_on_the_same_answers(from_text, official):
    found = by_protocol(from_text)["timelens@1"]
    wanted = official["lmms_eval"]["timelens_task_metrics_on_same_answers"]
    assert [found[name] for name in (*RECALLS, "mIoU")] == list(wanted.values())


def test_lmms_eval(from_text, official):
    found, wanted = by_protocol(from_text)["lmms-eval@0.7"], official["lmms_eval"]["metrics"]
    names = ("IOU@3", "IOU@5", "IOU@7", "mIOU")
    assert [found[name] for name in (*RECALLS, "mIoU")] == [wanted[name] for name in names]


def test_vtimellm(official, ids, tmp_path):
    told = golden("activitynet_captions/seed44.extracted.official.json")["vtimellm_answers"]
    answers = [{"id": name, "text": text} for name, text in zip(ids, told, strict=True)]
    found = result(tmp_path, TASK, "vtimellm@1", answers)
    assert found["metrics"] == official["vtimellm"]["metrics"]


def test_2d_tan_at_every_nms_threshold(official, ids, tmp_path):
    spans = ranked(golden("activitynet_captions/seed44.ranked.jsonl"), ids)
    found = by_protocol(result(tmp_path, TASK, "2d-tan@1", spans))
    for protocol, name in (
        ("2d-tan-nms-0.45@1", "2d_tan_nms0.45"),
        ("2d-tan-nms-0.49@1", "2d_tan_nms0.49"),
        ("2d-tan-no-nms@1", "2d_tan_nms1.0"),
    ):
        assert found[protocol] == two_d_tan(official[name])

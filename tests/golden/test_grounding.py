"""Every number of the official scripts on tasks of temporal grounding, to the last digit."""

import pytest

from tests.golden_case import (
    golden,
    metrics_by_protocol,
    numbered_ids,
    ranked_predictions,
    score_predictions,
    span_predictions,
    text_predictions,
    time_r1_metrics,
    two_d_tan_metrics,
)
from tests.reference_data import needs_both

pytestmark = needs_both
RECALLS = ("R1@0.3", "R1@0.5", "R1@0.7")
# task, its golden files, number of samples
TASKS = (
    ("charades_sta", "charades_sta/seed11", 3720),
    ("activitynet_captions", "activitynet_captions/seed44", 17031),
)


@pytest.fixture(scope="module", params=TASKS, ids=[name for name, *_ in TASKS])
def task(request):
    return request.param


@pytest.fixture(scope="module")
def official(task):
    return golden(f"{task[1]}.official.json")


@pytest.fixture(scope="module")
def rows(task):
    return golden(f"{task[1]}.preds.jsonl")


@pytest.fixture(scope="module")
def ids(rows):
    return list(numbered_ids(row["video"] for row in rows))


@pytest.fixture(scope="module")
def text_results(task, rows, ids, tmp_path_factory):
    """The texts under every protocol, from one call: a score shows the others beside it."""
    folder = tmp_path_factory.mktemp("texts")
    return score_predictions(folder, task[0], "time-r1@1", text_predictions(rows, ids))


def test_time_r1(task, text_results, official, rows, ids, tmp_path):
    expected = official["time_r1_eval_all"]
    assert text_results["metrics"] == time_r1_metrics(expected["text"])
    assert text_results["n_scored"] == text_results["n_expected"] == task[2]
    results = score_predictions(tmp_path, task[0], "time-r1@1", span_predictions(rows, ids))
    assert results["metrics"] == time_r1_metrics(expected["pred"])


def test_timezero(text_results, official):
    metrics = metrics_by_protocol(text_results)["timezero@1"]
    expected = official["timezero_evaluate"]
    assert metrics["mIoU"] == expected["mIoU"] * 100
    assert [metrics[f"R1@{t}"] for t in expected["R"]] == [v * 100 for v in expected["R"].values()]


def test_timechat(text_results, official):
    metrics = metrics_by_protocol(text_results)["timechat@1"]
    lines = official["timechat_eval_tvg"]["stdout"].splitlines()[1:]
    assert [metrics[name] for name in RECALLS] == [float(line.split(": ")[1]) for line in lines]


def test_lmms_eval_and_timelens(text_results, official):
    expected = official["lmms_eval"]
    for protocol, figures in (
        ("lmms-eval@0.7", expected["metrics"]),
        ("llava-video@1", expected["metrics"]),
        ("timelens@1", expected["timelens_task_metrics_on_same_answers"]),
    ):
        metrics = metrics_by_protocol(text_results)[protocol]
        names = dict(zip((*RECALLS, "mIoU"), ("IOU@3", "IOU@5", "IOU@7", "mIOU"), strict=True))
        assert metrics == {name: figures[key] for name, key in names.items()}


def test_vtimellm(task, official, ids, tmp_path):
    texts = golden(f"{task[1]}.extracted.official.json")["vtimellm_answers"]
    predictions = [{"id": name, "text": text} for name, text in zip(ids, texts, strict=True)]
    results = score_predictions(tmp_path, task[0], "vtimellm@1", predictions)
    assert results["metrics"] == official["vtimellm"]["metrics"]


def test_2d_tan_at_every_nms_threshold(task, official, ids, tmp_path):
    predictions = ranked_predictions(golden(f"{task[1]}.ranked.jsonl"), ids)
    results = score_predictions(tmp_path, task[0], "2d-tan-nms-0.45@1", predictions)
    metrics = metrics_by_protocol(results)
    for protocol, name in (
        ("2d-tan-nms-0.45@1", "2d_tan_nms0.45"),
        ("2d-tan-nms-0.49@1", "2d_tan_nms0.49"),
        ("2d-tan-no-nms@1", "2d_tan_nms1.0"),
    ):
        assert metrics[protocol] == two_d_tan_metrics(official[name])
    if task[0] == "charades_sta":
        assert metrics["2d-tan@1"] == metrics["2d-tan-nms-0.45@1"]


def test_samples_without_a_prediction_count_under_strict_and_not_under_time_r1(
    task, rows, ids, tmp_path
):
    half = text_predictions(rows, ids)[::2]
    for protocol, scored in (("strict@2", len(rows)), ("time-r1@1", len(half))):
        assert score_predictions(tmp_path, task[0], protocol, half)["n_scored"] == scored


def test_2d_tan_on_tacos(tmp_path):
    official = golden("tacos/test_seed97.official.json")
    rows = golden("tacos/test_seed97.ranked.jsonl")
    predictions = ranked_predictions(rows, numbered_ids(row["video"] for row in rows))
    results = score_predictions(tmp_path, "tacos", "2d-tan-nms-0.49@1", predictions)
    assert results["n_scored"] == results["n_expected"] == 4001
    assert results["metrics"] == two_d_tan_metrics(official["2d_tan_nms0.49"])
    metrics = metrics_by_protocol(results)
    assert metrics["2d-tan-no-nms@1"] == two_d_tan_metrics(official["2d_tan_nms1.0"])


@pytest.mark.parametrize(
    ("kind", "predictions"), [("pred", span_predictions), ("text", text_predictions)]
)
def test_time_r1_on_tvgbench(kind, predictions, tmp_path):
    rows = golden("tvgbench/seed81.preds.jsonl")
    # the harness uses the official ids
    lines = predictions(rows, [row["qid"] for row in rows])
    results = score_predictions(tmp_path, "tvgbench", "time-r1@1", lines)
    assert results["metrics"] == time_r1_metrics(golden("tvgbench/seed81.official.json")[kind])
    assert results["n_scored"] == 800
    # some predicted spans equal a target of length 0, whose IoU is NaN
    assert (results["metrics"]["mIoU"] is None) == (kind == "pred")

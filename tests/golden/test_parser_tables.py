"""The tables of the official parsers, as a user gets them: through `vtg-eval score`."""

import json
import math

import pytest

from tests.golden_case import golden, score_predictions
from tests.reference_data import needs_both

pytestmark = needs_both

FIRST_SPAN = {
    "timelens.extract_time": "timelens@1",
    "lmms_charades.extract_time": "lmms-eval@0.7",
    "timechat.format_tvg.extract_time": "timechat@1",
}
ONE_SPAN = {
    "time_r1.extract_answer(tg)": "time-r1@1",
    "timezero.parse_timestamp_output": "timezero@1",
}
VIDEO_MME = {
    "videomme_official.extract_characters_regex": "video-mme@1",
    "vlmevalkit_videomme.extract_characters_regex": "vlmevalkit-video-mme@1",
    "lmms_extract_mcq_answer(ABCD)": "lmms-eval@0.7",
}
OPTIONS = ["a dog", "the red car.", "a cat", "a man"]


def table(name):
    return golden(f"parsers/{name}_strings.official.json")


def predictions(rows, name="{}"):
    return [{"id": name.format(k), "text": row["text"]} for k, row in enumerate(rows)]


def values(results, key):
    return [sample[key] for sample in results["samples"]]


@pytest.mark.parametrize("column", [*FIRST_SPAN, *ONE_SPAN])
def test_times(column, tmp_path):
    rows = table("time")
    lines = [f"V{k} 0.0 1.0##it happens." for k in range(len(rows))]
    (tmp_path / "charades_sta_test.txt").write_text("\n".join(lines))
    protocol = (FIRST_SPAN | ONE_SPAN)[column]
    results = score_predictions(
        tmp_path, "charades_sta", protocol, predictions(rows, "V{}/0"), tmp_path
    )
    spans = [row[column] for row in rows]
    if column in FIRST_SPAN:
        spans = [row[0] if row else None for row in spans]
    assert values(results, "span") == [span if span != [None, None] else None for span in spans]


def test_times_of_taro(tmp_path):
    rows = golden("taro/parser.official.json")
    lines = [f"V{k} 0.0 1.0##it happens." for k in range(len(rows))]
    (tmp_path / "charades_sta_test.txt").write_text("\n".join(lines))
    results = score_predictions(
        tmp_path, "charades_sta", "taro@1", predictions(rows, "V{}/0"), tmp_path
    )
    spans = [row["pred"] if row["pred"] != [None, None] else None for row in rows]
    assert values(results, "span") == spans


def test_intervals_of_cg_bench(tmp_path):
    rows = table("time")
    column = "vlmevalkit_cgbench.post_process(miou,gt=[[10,20]],duration=100)"
    records = [
        {
            "qid": k,
            "video_uid": f"v{k}",
            "question": "q",
            "choices": OPTIONS,
            "right_answer": "B",
            "clue_intervals": [[10, 20]],
            "domain": "d",
            "sub_category": "s",
            "duration": 100,
        }
        for k in range(len(rows))
    ]
    (tmp_path / "cgbench_mini.json").write_text(json.dumps(records))
    results = score_predictions(
        tmp_path, "cgbench", "vlmevalkit-cg-bench@1", predictions(rows, "{}/miou"), tmp_path
    )
    samples = {sample["id"]: sample for sample in results["samples"]}
    for k, row in enumerate(rows):
        sample = samples[f"{k}/miou"]
        if row[column] == -1:
            assert "unparsed" in sample["failures"], row["text"]
        else:
            assert sample["value"] == row[column], row["text"]
    ious = [row[column] for row in rows if row[column] != -1]
    assert results["metrics"]["mIoU"] == pytest.approx(100 * math.fsum(ious) / len(ious), abs=5e-3)


@pytest.mark.parametrize("column", VIDEO_MME)
def test_letters_of_video_mme(column, tmp_path):
    rows = table("mcq")
    options = [f"{letter}. {text}" for letter, text in zip("ABCD", OPTIONS, strict=True)]
    videos = [
        {
            "video_id": f"{k:03}",
            "duration": "short",
            "domain": "d",
            "sub_category": "s",
            "questions": [
                {
                    "question_id": str(k),
                    "task_type": "t",
                    "question": "q?",
                    "options": options,
                    "answer": "B",
                }
            ],
        }
        for k in range(len(rows))
    ]
    (tmp_path / "output_test_template.json").write_text(json.dumps(videos))
    results = score_predictions(
        tmp_path, "videomme", VIDEO_MME[column], predictions(rows), tmp_path
    )
    assert values(results, "choice") == [row[column] or None for row in rows]


def test_letters_of_lvbench(tmp_path):
    rows = table("mcq")
    question = "q?" + "".join(f"\n({c}) {o}" for c, o in zip("ABCD", OPTIONS, strict=True))
    questions = [
        {"uid": str(k), "question": question, "answer": "B", "question_type": ["reasoning"]}
        for k in range(len(rows))
    ]
    (tmp_path / "video_info.meta.jsonl").write_text(json.dumps({"key": "v", "qa": questions}))
    results = score_predictions(tmp_path, "lvbench", "lvbench@1", predictions(rows), tmp_path)
    assert values(results, "choice") == [row["lvbench.polish_answer"] or None for row in rows]


def test_checks_of_mlvu(tmp_path):
    rows = table("mcq")
    questions = [
        {
            "video": "v.mp4",
            "duration": 9,
            "question": "q",
            "candidates": [option.rstrip(".") for option in OPTIONS],
            "answer": "the red car",
            "question_type": "count",
        }
        for _ in rows
    ]
    empty = ("1_plotQA", "2_needle", "3_ego", "5_order", "6_anomaly_reco", "7_topic_reasoning")
    for stem in empty:
        (tmp_path / f"{stem}.json").write_text("[]")
    (tmp_path / "4_count.json").write_text(json.dumps(questions))
    results = score_predictions(tmp_path, "mlvu", "mlvu@1", predictions(rows, "count/{}"), tmp_path)
    column = "mlvu.check_ans(gt=(B) the red car)"
    right = [value == 1 for value in values(results, "value")]
    assert right == [row[column] is True for row in rows]

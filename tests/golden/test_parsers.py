"""Every answer of the official tables, parsed as by each official parser."""

import json
import re
from collections import Counter

import pytest

from tests.golden_case import golden
from tests.reference_data import BENCHMARKS, GOLDEN, needs_benchmarks, needs_golden
from vtg_eval.failures import Failure
from vtg_eval.metrics.interval_sets import set_iou
from vtg_eval.parsing.choices import CHOICE_PARSERS
from vtg_eval.parsing.spans import SPAN_PARSERS
from vtg_eval.types import Span

pytestmark = needs_golden

OPTIONS = ("a dog", "the red car.", "a cat", "a man")
LETTERS = {
    "videomme_official.extract_characters_regex": "video-mme",
    "vlmevalkit_videomme.extract_characters_regex": "vlmevalkit-video-mme",
    "lmms_extract_mcq_answer(ABCD)": "lmms-mcq",
    "lmms_extract_mcq_answer(A-H)": "lmms-mcq-8",
    "lvbench.polish_answer": "lvbench",
    "lmms_timescope.extract": "lmms-timescope",
}
IS_B = {
    "mlvu.check_ans(gt=(B) the red car)": "mlvu",
    "mvbench.check_ans(gt=(B) the red car.)": "mvbench",
    "lmms_mvbench.mcq_acc(answer=B)": "lmms-mvbench",
    "vlmevalkit_cgbench.post_process(long_acc,gt=B)": "vlmevalkit-cg-bench",
}
SPANS = {
    "timelens.extract_time": "timelens",
    "lmms_timelens.extract_time": "timelens",
    "lmms_charades.extract_time": "lmms-charades",
    "timechat.format_tvg.extract_time": "timechat",
}
LAST_SPAN = {
    "time_r1.extract_answer(tg)": "to-or-and",
    "timezero.parse_timestamp_output": "to-or-and",
}
SET_COLUMN = "vlmevalkit_cgbench.post_process(miou,gt=[[10,20]],duration=100)"


def parsed(name, text, options=OPTIONS):
    return CHOICE_PARSERS[name](text, tuple(options))


def letter(name, text):
    return "".join(parsed(name, text).letters)


def files(pattern):
    """All golden files of that kind, as paths in the folder of golden files."""
    return [str(path.relative_to(GOLDEN)) for path in sorted(GOLDEN.glob(pattern))]


def official(path):
    """The scripts' results on a file of predictions."""
    return golden(f"{path.split('.')[0]}.official.json")


def table(name):
    return golden(f"parsers/{name}_strings.official.json")


@pytest.mark.parametrize("column", LETTERS)
def test_letters_of_the_table(column):
    for row in table("mcq"):
        assert letter(LETTERS[column], row["text"]) == row[column], row["text"]


@pytest.mark.parametrize("column", IS_B)
def test_right_and_wrong_of_the_table(column):
    for row in table("mcq"):
        choice = parsed(IS_B[column], row["text"])
        # VLMEvalKit: -1 for an answer that it cannot parse
        right = -1 if choice.failure and row[column] == -1 else "B" in choice.letters
        assert right == row[column], row["text"]


def test_time_r1_indices_of_the_table():
    for row in table("mcq"):
        index = row["time_r1.extract_answer(mcq)"]
        expected = "" if index is None else chr(ord("A") + index)
        assert letter("time-r1", row["text"]) == expected, row["text"]


def test_every_column_of_the_tables_is_tested():
    choices = {*LETTERS, *IS_B, "time_r1.extract_answer(mcq)", "text"}
    assert {key for row in table("mcq") for key in row} == choices
    spans = {*SPANS, *LAST_SPAN, SET_COLUMN, "text"}
    assert {key for row in table("time") for key in row} == spans


@pytest.mark.parametrize("column", [*SPANS, *LAST_SPAN])
def test_spans_of_the_table(column):
    for row in table("time"):
        parser = SPAN_PARSERS[SPANS.get(column) or LAST_SPAN[column]]
        spans = [list(span) for span in parser(row["text"]).spans]
        last = spans[-1] if spans else [None, None]
        assert (last if column in LAST_SPAN else spans) == row[column], row["text"]


def test_set_iou_of_the_table():
    for row in table("time"):
        value = interval_iou("vlmevalkit-cg-bench", row["text"], [[10, 20]], 100)
        assert (-1 if value is None else value) == row[SET_COLUMN], row["text"]


def interval_iou(name, text, truth, duration):
    """IoU of the sets, None where the script leaves the answer out."""
    answer = SPAN_PARSERS[name](text or "")
    if answer.failure:
        return None
    spans = answer.spans
    if answer.fractions:
        spans = tuple(Span(span.start * duration, span.end * duration) for span in spans)
    return float(set_iou([spans], [truth], strict=False)[0])


def test_video_mme_answers():
    names = {"official": "video-mme", "vlmevalkit": "vlmevalkit-video-mme", "lmms_eval": "lmms-mcq"}
    for path in files("videomme/*.preds.json"):
        for video in golden(path):
            for question in video["questions"]:
                letters = {key: letter(name, question["response"]) for key, name in names.items()}
                assert letters == question["_extracted"], question["response"]


def test_lvbench_answers():
    for path in files("lvbench/*.raw_text.json"):
        letters, texts = golden(path.replace("raw_text", "answers")), golden(path)
        assert {uid: letter("lvbench", texts[uid]) for uid in letters} == letters


def test_mlvu_answers():
    for path in files("mlvu/*.preds.jsonl"):
        right: Counter[str] = Counter()
        for row in golden(path):
            is_right = row["gt_letter"] in parsed("mlvu", row["text"]).letters
            lmms = letter("lmms-mcq", row["text"])
            right[row["task"]] += is_right
            assert is_right == row["official_check_ans"], row["text"]
            assert lmms == row["lmms_extracted"], row["text"]
            assert (lmms == row["gt_letter"]) == row["lmms_correct"]
        counts = official(path)["official_choice_bench"]["acc_dict"]
        assert right == {task: count for task, (count, _) in counts.items()}


@needs_benchmarks
def test_tempcompass_ratings():
    kinds = {
        "multi-choice": "tempcompass-choice",
        "yes_no": "tempcompass-yes-no",
        "caption_matching": "tempcompass-caption",
    }
    meta = json.loads((BENCHMARKS / "tempcompass/meta_info.json").read_text())
    for path in files("tempcompass/*.preds.json"):
        parser = kinds[path.split("/")[1].rsplit("_seed", 1)[0]]
        right: Counter[str] = Counter()
        fine: Counter[str] = Counter()
        count: Counter[str] = Counter()
        matched = 0
        for video, aspects in golden(path).items():
            for aspect, questions in aspects.items():
                kind = "order" if aspect == "order" else meta[video]["eval_dim"][aspect]["type"]
                for question in questions:
                    options, target = tempcompass_options(parser, question)
                    choice = parsed(parser, question["prediction"] or "", options)
                    right[aspect] += target in choice.letters
                    fine[kind] += target in choice.letters
                    count.update({aspect, kind})
                    count["all"] += 1
                    matched += not choice.failure
        avg = {"avg": round(right.total() * 100 / count["all"], 1)}
        printed = official(path)["stdout"]
        for line in (percent(right, count) | avg, percent(fine, count)):
            assert all(f"{key!r}: {value}" in printed for key, value in line.items())
        assert f"Match Success Rate={round(matched / count['all'] * 100, 1)}" in printed


def percent(right, count):
    return {key: round(right[key] * 100 / count[key], 1) for key in right}


def tempcompass_options(parser, question):
    """The options as the parser takes them, and the letter of the right one."""
    lines, answer = question["question"].split("\n")[1:], question["answer"]
    if parser == "tempcompass-choice":
        return [re.sub(r"^\s*[A-D]\.\s*", "", line) for line in lines], answer[0]
    lines = lines if parser == "tempcompass-caption" else ["yes", "no"]
    return lines, "ABCDEFGH"[lines.index(answer)]


@needs_benchmarks
def test_cg_bench_answers():
    questions = json.loads((BENCHMARKS / "cgbench/cgbench_mini.json").read_text())
    by_id = {question["qid"]: question for question in questions}
    for path in files("cgbench/*.preds.jsonl"):
        scores: dict[str, dict[str, list[float]]] = {"cg-bench": {}, "vlmevalkit-cg-bench": {}}
        for row in golden(path):
            for name, values in scores.items():
                value = cg_bench_value(name, by_id[row["qid"]], row)
                if value is not None:
                    values.setdefault(row["task_mode"], []).append(value)
        check_cg_bench(scores, official(path))


def cg_bench_value(name, question, row):
    if row["task_mode"] == "miou":
        truth, duration = question["clue_intervals"], question["duration"]
        return interval_iou(name, row["prediction"], truth, duration)
    choice = parsed(name, row["prediction"] or "", question["choices"])
    if choice.failure is Failure.UNPARSED:
        return None
    return float(question["right_answer"] in choice.letters)


def check_cg_bench(scores, expected):
    vlmevalkit = expected["vlmevalkit"]["rating"]
    for task, values in scores["vlmevalkit-cg-bench"].items():
        assert round(sum(values) / len(values), 4) == vlmevalkit[task]["overall"]
    printed = expected["official_repo"]["stat_with_key_stdout"]
    for task, values in scores["cg-bench"].items():
        total, result = re.search(
            rf"{task}_gpt\S*\nTotal: (\d+), Result: ([\d.]+)", printed
        ).groups()
        assert len(values) == int(total)
        assert sum(values) == pytest.approx(float(result), rel=1e-12)
    ious = scores["cg-bench"]["miou"]
    for threshold in (0.1, 0.2, 0.3, 0.4, 0.5):
        assert f"iou_th_{threshold}: {sum(iou >= threshold for iou in ious)}," in printed

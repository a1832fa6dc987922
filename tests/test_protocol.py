import re
from pathlib import Path

import pytest

from vtg_eval.errors import UserError
from vtg_eval.files.digests import canonical, sha256
from vtg_eval.parsing.choices import CHOICE_PARSERS
from vtg_eval.parsing.spans import SPAN_PARSERS
from vtg_eval.protocol import DEFAULT_PROTOCOL, load_protocol
from vtg_eval.question import PLACEHOLDERS
from vtg_eval.registry import Registry

MINIMAL = 'name = "x@1"\nsummary = "s"\nsource = "t"\n'
PROTOCOLS = Registry.discover().protocols


def load(tmp_path: Path, text: str):
    path = tmp_path / "x.toml"
    path.write_text(MINIMAL + text)
    return load_protocol(path)


def test_defaults_and_overrides(tmp_path):
    protocol = load(tmp_path, "[score]\nnms = 0.4\n[tasks.a.score]\nranks = [1, 5]\nnms = 1\n")
    assert (protocol.without_task.score.nms, protocol.without_task.score.ranks) == (0.4, (1,))
    assert (
        protocol.for_task("a", "grounding").score.nms,
        protocol.for_task("a", "grounding").score.ranks,
    ) == (1.0, (1, 5))
    assert protocol.for_task("b", "grounding").score == protocol.without_task.score


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[score]\ncomparater = '>'\n", "comparator"),
        ("[score]\ncomparator = '=='\n", "score.comparator"),
        ("[score]\nthresholds = 0.5\n", "score.thresholds"),
        ("[score]\nthresholds = []\n", "score.thresholds"),
        ("[score]\nranks = [1.5]\n", "score.ranks"),
        ("[score]\nranks = [true]\n", "score.ranks"),
        ("[score]\naverage = 1\n", "score.average"),
        ("[score]\nnms = nan\n", "score.nms is nan; it must be a finite number"),
        ("[generation]\ntemperature = 0\n", "generation.temperature is 0"),
        ("[tasks.a.answer]\nunit = 'hours'\n", "tasks.a.answer.unit is 'hours'; it must be one of"),
        ("[tasks.a.answr]\nunit = 'percent'\n", 'no key "tasks.a.answr". Did you mean "answer"'),
        ("[tasks.a]\nname = 'b'\n", 'no key "tasks.a.name"'),
        ("[tasks.a.splits.b.score]\nnms = '1'\n", "tasks.a.splits.b.score.nms is '1'"),
        ("[tasks.a.splits]\nb = 3\n", "tasks.a.splits.b is 3; it must be a table"),
        ("[tasks]\na = 3\n", "tasks.a is 3; it must be a table"),
        ("tasks = 3\n", "tasks is 3; it must be a table"),
        ("[overrides.a.answer]\nunit = 'percent'\n", "overrides"),
        ("[score]\nthresholds = [0.5, 1.5]\n", "score.thresholds is 1.5; it must be 0 to 1"),
        ("[tasks.a.score]\nthresholds = [-0.1]\n", "tasks.a.score.thresholds is -0.1"),
        ("[score]\nranks = [0]\n", "score.ranks is 0; it must be from 1 on"),
        ("[score]\nnms = -0.5\n", "score.nms is -0.5; it must be 0 to 1, or -1 for none"),
        ("[score]\niou_decimals = 99\n", "score.iou_decimals is 99"),
        ("[answer]\nquantum = -1.0\n", "answer.quantum is -1"),
        (
            "[generation]\nmax_new_tokens = -1\n",
            "generation.max_new_tokens is -1; it must be from 1",
        ),
        ("[tasks.a.splits.b.generation]\nmax_new_tokens = 0\n", "tasks.a.splits.b.generation."),
        ("[frames]\nfps = 0.0\n", "frames.fps is 0"),
        ("[frames]\nmin_frames = 8\nmax_frames = 4\n", "frames.min_frames is above"),
        ("[frames]\nmin_tokens = 800\n", "frames.min_tokens is above"),
        ('[answer]\nselect = "last"\n[score]\norder = "score"\n', "answer.select"),
        ('[answer]\nselect = "last"\n[tasks.a.score]\norder = "score"\n', "tasks.a.answer.select"),
        ("[prompt]\ntext = 'find {qury}'\n", 'prompt.text has {qury}. Did you mean "query"?'),
        ("[prompt]\ntext = 'find it'\n", "prompt.text has no {query}"),
        ("[prompt]\nchoice = '{options}'\n", "prompt.choice has no {query}"),
        (
            "[tasks.a.prompt]\ngrounded_choice = '{options}'\n",
            "tasks.a.prompt.grounded_choice has no",
        ),
        ("[prompt]\noption = '{lettr} {text}'\n", "prompt.option has {lettr}"),
        ("[prompt]\noption = '{letter}'\n", "prompt.option has no {text}"),
        ("notes = [1]\n", "notes[0] is 1; it must be text"),
        ("colour = 'red'\n", "colour"),
        ("[score\n", "x.toml"),
    ],
)
def test_a_mistake_is_named(tmp_path, text, named):
    with pytest.raises(UserError, match=r"x\.toml: ") as caught:
        load(tmp_path, text)
    assert named in str(caught.value)


@pytest.mark.parametrize("name", ["x", "x@", "@1", "x @1", "x@1@2"])
def test_a_name_needs_a_version(tmp_path, name):
    path = tmp_path / "x.toml"
    path.write_text(MINIMAL.replace("x@1", name))
    with pytest.raises(UserError, match=r"x\.toml: .*must end in a version"):
        load_protocol(path)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[tasks.charades_st.score]\nnms = 0.4\n", "tasks.charades_st: there is no task"),
        ('only_tasks = ["charades_sta", "charade_sta"]\n', "only_tasks: there is no task"),
    ],
)
def test_values_for_an_unknown_task_are_refused(tmp_path, text, named):
    path = tmp_path / "x.toml"
    path.write_text(MINIMAL + text)
    with pytest.raises(UserError, match=r"x\.toml: ") as caught:
        load_protocol(path, {"task": ["charades_sta"]})
    assert named in str(caught.value) and 'Did you mean "charades_sta"?' in str(caught.value)


@pytest.mark.parametrize("prefix", ["", "tasks.a.", "tasks.a.splits.b."])
@pytest.mark.parametrize("kind", ["parser", "choice_parser"])
def test_an_unknown_parser_is_refused(tmp_path, prefix, kind):
    path = tmp_path / "x.toml"
    path.write_text(f"{MINIMAL}[{prefix}answer]\n{kind} = 'stict'\n")
    with pytest.raises(UserError, match=r"x\.toml: ") as caught:
        load_protocol(path, {"parser": SPAN_PARSERS, "choice_parser": CHOICE_PARSERS})
    assert f'{prefix}answer.{kind}: there is no {kind} "stict". Did you mean' in str(caught.value)


def test_values_for_an_unknown_split_are_refused(tmp_path):
    protocol = load(tmp_path, "[tasks.a.splits.tset.score]\nnms = 0.4\n")
    protocol.check_splits("b", ["test"])
    with pytest.raises(UserError, match=r"tasks\.a\.splits\.tset.*Did you mean .test"):
        protocol.check_splits("a", ["test"])


def test_only_tasks_refuses_others(tmp_path):
    protocol = load(tmp_path, 'only_tasks = ["a"]\n')
    assert protocol.for_task("a", "grounding").name == "x@1"
    with pytest.raises(UserError, match="not defined for b"):
        protocol.for_task("b", "grounding")


def test_a_protocol_has_no_rules_before_it_is_resolved_for_a_task():
    written = PROTOCOLS["strict@2"]
    for part in ("frames", "prompt", "generation", "answer", "score"):
        assert hasattr(written.without_task, part)
        assert not hasattr(written, part)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_shipped_protocols_are_sound(name):
    protocol = PROTOCOLS[name]
    assert protocol.without_task.summary and protocol.without_task.source
    for task in ("none", *protocol.overrides):
        resolved = protocol.with_overrides(task)
        assert resolved.answer.parser in SPAN_PARSERS
        assert resolved.answer.choice_parser in CHOICE_PARSERS
        prompt = resolved.prompt
        for text in (prompt.text, prompt.choice, prompt.grounded_choice):
            assert text.count("{query}") == (1 if text else 0)
            assert set(PLACEHOLDERS.findall(text)) == set(re.findall(r"\{(\w+)\}", text))


def test_the_default_is_strict_and_keeps_every_sample():
    strict = PROTOCOLS[DEFAULT_PROTOCOL].without_task
    assert (strict.score.missing, strict.score.comparator) == ("zero", ">=")
    assert strict.prompt.text == (
        "When does this happen in the video: {query}\n"
        'Answer with the start and end time in seconds, for example "12.5 - 20.3". '
        'If it never happens, answer "never".'
    )


def test_prompts_are_reproduced_exactly():
    assert PROTOCOLS["timelens@1"].without_task.prompt.text == (
        "Please find the visual event described by the sentence '{query}', determining its "
        "starting and ending times. The format should be: 'The event happens in <start time> - "
        "<end time> seconds'."
    )
    assert PROTOCOLS["lmms-eval@0.7"].without_task.prompt.text.endswith(
        "happens in the 24.3 - 30.4 seonds. Now I will give you the textual sentence: {query}. "
        "Please return its start time and end time."
    )
    time_r1, timezero = (
        PROTOCOLS["time-r1@1"].without_task.prompt,
        PROTOCOLS["timezero@1"].without_task.prompt,
    )
    head = 'To accurately pinpoint the event "{query}" in the video, determine the precise time'
    tail = 'within the <answer> </answer> tags. For example: "12.54 to 17.83".'
    for prompt in (time_r1, timezero):
        assert prompt.text.startswith(head) and prompt.text.endswith(tail)
        assert prompt.text.count("\n\n") == 2
    assert "analysis with either specific time ranges (xx.xx to xx.xx)" in time_r1.text
    assert "either specific timestamps (xx.xx) or time ranges" in timezero.text
    assert (time_r1.layout, timezero.layout) == ("video-first", "text-first")


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("strict@1", "456c5a1f9ee686ac9a63aeff24bf2f7ffbce7dee48426a123cda0ca7e8b39252"),
        ("strict-subtitles@1", "35cc35a2615ebc7dc80ffb239d05e27fe7a364710165d065943376b71d49a91a"),
        ("next-gqa@1", "cc291d34cb5c3298f9057076d291cbca2aac229c92f419e24f155f2f6f2a0e88"),
    ],
)
def test_protocols_of_earlier_runs_keep_their_digest(name, digest):
    assert sha256(canonical(PROTOCOLS[name].without_task.to_json())) == digest


def test_the_rule_for_spans_without_length_is_part_of_the_digest():
    assert PROTOCOLS["strict@2"].without_task.to_json()["score"]["instants"] == "zero"

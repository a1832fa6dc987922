"""Recipes: shipped recipes load, mistakes are named."""

from __future__ import annotations

import re
import tomllib
from dataclasses import is_dataclass, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from vtg_eval.training.data.sample import TrainingSample
from vtg_eval.training.recipe import (
    CurationRule,
    DataRule,
    FilterRule,
    Recipe,
    RewardRule,
    load_recipe,
    make_recipe,
    recipe_text,
    recorded,
)
from vtg_eval.training.shipped import find_recipe, shipped_recipes

from vtg_eval.errors import UserError
from vtg_eval.parsing.answers import parse_answer
from vtg_eval.registry import Registry
from vtg_eval.types import Prediction, Span

FULL_SIZE = {
    "best",
    "time-r1-7b",
    "timelens-7b",
    "timelens-8b",
    "timelens2-4b",
    "timelens2-8b",
    "tvg-r1-7b",
    "tvg-r1-7b-rl",
    "videochat-r1-7b",
}
NANO = {
    "nano-best",
    "nano-smoke",
    "nano-time-r1",
    "nano-timelens-7b",
    "nano-timelens-8b",
    "nano-timelens2",
    "nano-tvg-r1",
    "nano-tvg-r1-rl",
    "nano-videochat-r1",
}
LOCATION = r"arXiv \d{4}\.\d{5}|github\.com/|the same\b|the recipe |second-hand: |the survey "
HEAD = 'name = "x"\nsummary = "x"\nsource = "x"\n'
MODEL = '[model]\ncheckpoint = "nano"\n'
DATA = '[data]\ntrain = ["a.jsonl"]\n'
WHOLE = HEAD + MODEL + DATA
ROUNDS = "[rl]\nsteps = 3\nrounds = 2\n[rewards]\ntiou = 1\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "r.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_recipes_that_are_promised_ship() -> None:
    assert set(shipped_recipes()) == FULL_SIZE | NANO


@pytest.mark.parametrize("name", sorted(FULL_SIZE | NANO))
def test_a_shipped_recipe_loads_and_names_what_there_is(name: str) -> None:
    registry = Registry.discover()
    recipe = load_recipe(find_recipe(name))
    assert recipe.name == name
    registry.protocol(recipe.model.protocol)
    assert recipe.evaluation is not None
    for task in recipe.evaluation.tasks:
        assert task in registry.tasks


@pytest.mark.parametrize("name", sorted(FULL_SIZE | NANO))
def test_a_shipped_recipe_says_whether_its_stages_share_samples(name: str) -> None:
    recipe = load_recipe(find_recipe(name))
    both = recipe.sft is not None and recipe.rl is not None
    assert recipe.data.shared == (both and recipe.data.sft_files == recipe.data.rl_files)


def sources_of(header: str) -> dict[str, str]:
    """Return the description of each source in a recipe's header, by its short name."""
    listed = header.partition("# Sources:\n")[2]
    return dict(re.findall(r"^#   (\S[^:\n]*): (.+)$", listed, re.MULTILINE))


@pytest.mark.parametrize("name", sorted(FULL_SIZE | NANO))
def test_each_line_has_a_source_and_our_choices_are_listed(name: str) -> None:
    text = shipped_recipes()[name].read_text(encoding="utf-8")
    table, marked, section = tomllib.loads(text), set(), ""
    named = "|".join(map(re.escape, sources_of(text.partition("\nname = ")[0])))
    sourced = re.compile(rf" ours\b|(?<![\w.-])(?:{named})(?![\w-])")
    for line in text.splitlines():
        if header := re.fullmatch(r"\[([\w.]+)\]", line):
            section = header[1]
        elif section and line:
            key, _, comment = line.partition("#")
            assert sourced.search(comment), f"no source: {line}"
            if comment.startswith(" ours"):
                marked.add(f"{section}.{key.split(' =')[0]}")
    assert marked == set(table["ours"])


@pytest.mark.parametrize("name", sorted(NANO))
def test_a_miniature_has_the_values_that_it_says_another_recipe_has(name: str) -> None:
    text, section = shipped_recipes()[name].read_text(encoding="utf-8"), ""
    for line in text.splitlines():
        if header := re.fullmatch(r"\[([\w.]+)\]", line):
            section = header[1]
        elif section and (named := re.search(r"# (?:ours, )?as (\S+)$", line)):
            key = line.split(" =")[0]
            values = []
            for recipe in (name, named[1]):
                table: Any = load_recipe(find_recipe(recipe))
                for part in (*section.split("."), key):
                    table = getattr(table, part)
                values.append(table)
            assert values[0] == values[1], line


@pytest.mark.parametrize("name", sorted(FULL_SIZE | NANO))
def test_each_source_in_the_header_has_a_location_and_is_used(name: str) -> None:
    header, _, body = shipped_recipes()[name].read_text(encoding="utf-8").partition("\nname = ")
    sources = sources_of(header)
    assert sources
    for source, location in sources.items():
        assert re.search(LOCATION, location), f"nowhere to look: {source}"
        assert source in body, f"not used: {source}"
    assert not re.search(r"§|\[[RS]\]", header + body)


@pytest.mark.parametrize("name", sorted(FULL_SIZE | NANO))
def test_the_protocol_covers_what_is_scored(name: str) -> None:
    registry = Registry.discover()
    recipe = load_recipe(find_recipe(name))
    assert recipe.evaluation is not None
    protocol = recipe.evaluation.protocol or recipe.model.protocol
    for task in recipe.evaluation.tasks:
        registry.protocol_for(registry.task(task).card, protocol)


def test_the_answers_of_tvg_r1_are_read_and_have_the_room_that_its_protocol_gives() -> None:
    recipe = load_recipe(find_recipe("tvg-r1-7b"))
    protocol = Registry.discover().protocol(recipe.model.protocol).without_task
    assert recipe.rl is not None
    assert recipe.difficulty is not None
    room = protocol.generation.max_new_tokens
    assert recipe.rl.max_new_tokens == recipe.difficulty.max_new_tokens == room
    text = "<think>At 1 - 2 s he sits; at 5 he stands.</think> <time>[5.2, 10.4]</time>"
    sample = TrainingSample("a", "a.mp4", "he stands", (Span(5.2, 10.4),), "x").to_sample()
    assert parse_answer(sample, Prediction("a", text=text), protocol).spans == (Span(5.2, 10.4),)


def test_the_sizes_of_timelens2_differ_in_what_depends_on_size() -> None:
    small, large = (load_recipe(find_recipe(f"timelens2-{size}")) for size in ("4b", "8b"))
    assert small.rl and small.selection and large.rl and large.selection
    assert (small.rl.steps, large.rl.steps) == (200, 300)
    assert large == replace(
        small,
        name=large.name,
        summary=large.summary,
        model=replace(small.model, checkpoint="Qwen3-VL-8B-Instruct"),
        selection=replace(small.selection, size=large.selection.size),
        rl=replace(small.rl, steps=large.rl.steps),
    )


def test_tvg_r1s_rl_is_the_same_with_and_without_its_cold_start() -> None:
    alone, whole = (load_recipe(find_recipe(name)) for name in ("tvg-r1-7b-rl", "tvg-r1-7b"))
    assert (alone.rl, alone.rewards) == (whole.rl, whole.rewards)
    assert alone.data.rl_files == whole.data.rl_files
    assert alone.sft is alone.difficulty is alone.selection is None


@pytest.mark.parametrize(
    ("name", "processes"),
    [
        *((name, count) for name in sorted(NANO) for count in (1, 2)),
        *((name, count) for name in sorted(FULL_SIZE) for count in (1, 2, 8)),
        ("tvg-r1-7b", 16),
    ],
)
def test_steps_divide_evenly_among_processes(name: str, processes: int) -> None:
    recipe = load_recipe(find_recipe(name))
    if recipe.sft is not None:
        assert recipe.sft.batch % (recipe.sft.device_batch * processes) == 0
    assert recipe.rl is not None
    answers = recipe.rl.prompts * recipe.rl.group
    assert answers % (recipe.rl.device_batch * processes) == 0
    share = answers // processes  # of each process
    assert share % recipe.rl.group == 0 or recipe.rl.group % share == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + '[model]\ncheckpont = "nano"\n' + DATA, '"model.checkpont". Did you mean "checkp'),
        (WHOLE + "[rll]\nsteps = 1\n", '"rll". Did you mean "rl"?'),
        (WHOLE + "[sft]\nstep = 1\n", '"sft.step". Did you mean "steps"?'),
        (WHOLE + "[sft]\n", 'the key "sft.steps" is missing'),
        (HEAD + DATA, 'the key "model" is missing'),
        (
            WHOLE + "[sft]\nsteps = 0\n",
            "sft.steps is 0; it must be a whole number of at least 1 a",
        ),
        (WHOLE + "[sft]\nsteps = 1.5\n", "sft.steps is 1.5; it must be a whole number"),
        (WHOLE + "[sft]\nsteps = true\n", "sft.steps is True; it must be a whole number"),
        (WHOLE + '[sft]\nsteps = 1\nschedule = "cosin"\n', "it must be one of cosine, linear"),
        (WHOLE + "[sft]\nsteps = 1\nlearning_rate = nan\n", "sft.learning_rate is nan"),
        (WHOLE + "[sft]\nsteps = 1\nlearning_rate = inf\n", "sft.learning_rate is inf"),
        (
            WHOLE + "[sft]\nsteps = 1\nlearning_rate = -1\n",
            "it must be a finite number of at least 0",
        ),
        (WHOLE + f"[sft]\nsteps = 1{'0' * 400}\n", "sft.steps is 1000"),
        (WHOLE + f"[sft]\nsteps = 1\nweight_decay = 1{'0' * 400}\n", "sft.weight_decay is 1000"),
        (
            WHOLE + "[curation]\nmoment_seconds = [9, 1]\n",
            "is [9.0, 1.0]; the lower one stands first",
        ),
        (WHOLE + "[curation]\nmoment_seconds = [9]\n", "is [9]; it must be a list of 2"),
        (
            WHOLE + "[selection]\nmean_iou = [0, 2]\n",
            "selection.mean_iou[1] is 2; it must be a finite number of at least 0 and at most 1",
        ),
        (WHOLE + "[selection]\nsize = -1\n", "selection.size is -1"),
        (WHOLE + "[rl]\nsteps = 1\n", "[rl] needs a table [rewards]"),
        (WHOLE + ROUNDS, "rl.rounds needs a table [difficulty]"),
        (
            WHOLE + ROUNDS + "[difficulty]\n",
            "rl.steps is 3, which is no multiple of rl.rounds 2; change one",
        ),
        (WHOLE + "[rewards]\ntiou = 0\n", "[rewards] needs a weight above 0"),
        (WHOLE + "rl = 3\n", "data.rl"),
        (HEAD + "rl = 3\n" + MODEL + DATA, "rl is 3; it must be a table"),
        (HEAD + MODEL + "[data]\ntrain = []\n", "data.train is empty"),
        (
            HEAD + MODEL + '[data]\nrl = ["a"]\n[sft]\nsteps = 1\n',
            "[sft] has no samples; name a file",
        ),
        (WHOLE + 'cold_start = ["b"]\nrl = ["c"]\n', "no stage uses data.train"),
        (WHOLE + "shared = 1\n", "data.shared is 1; it must be true or false"),
        (
            WHOLE + "[curation.rl]\nmoment_seconds = [9, 1]\n",
            "curation.rl.moment_seconds is [9.0, 1.0]; the lower one stands first",
        ),
        (WHOLE + "[curation.sft]\n", '"curation.sft"'),
        (HEAD + MODEL + '[data]\ntrain = "a"\n', "data.train is 'a'; it must be a list"),
        (
            HEAD + "[model]\ncheckpoint = 3\n" + DATA,
            "model.checkpoint is 3; it must be text",
        ),
        ("name = ", "not TOML: Invalid value"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=r"r\.toml") as error:
        load_recipe(written(tmp_path, text))
    assert message in str(error.value)


POOLS = """[data]
cold_start = ["a.jsonl"]
rl = ["b.jsonl"]
[curation]
duplicates = false
[curation.rl]
video_seconds = [1, 9]
[sft]
steps = 1
[difficulty]
"""


def test_a_recipe_with_a_pool_and_filters_for_each_stage_is_written_and_read_back() -> None:
    recipe = make_recipe(tomllib.loads(HEAD + MODEL + POOLS))
    assert recipe.curation is not None
    assert recipe.curation.rl is not None
    assert (recipe.data.sft_files, recipe.data.rl_files) == (("a.jsonl",), ("b.jsonl",))
    assert recipe.curation.rl.video_seconds == (1, 9)
    assert make_recipe(tomllib.loads(recipe_text(recipe))) == recipe


def test_a_record_has_later_keys_only_where_they_are_set() -> None:
    """So a folder of a version without them is resumed."""
    assert recorded(DataRule(("a",))) == {
        "train": ("a",), "videos": "", "missing_share": 0.0, "leaks": "refuse", "label_noise": 0.0
    }  # fmt: skip
    assert recorded(DataRule(rl=("a",)))["rl"] == ("a",)
    plain = recorded(CurationRule())
    assert not {"cold_start", "rl"} & set(plain)
    assert recorded(CurationRule(rl=FilterRule()))["rl"] == plain
    record = recorded(RewardRule(tiou=1.0, giou=0.5))
    assert record["giou"] == 0.5
    assert "wasserstein_union" not in record


def numbers() -> list[tuple[str, str]]:
    """Return the table and the key of each number of a recipe."""
    tables = {name: kind for name, hint in get_type_hints(Recipe).items() for kind in kinds(hint)}
    return [
        (table, key)
        for table, kind in tables.items()
        for key, hint in get_type_hints(kind).items()
        if hint in (int, float)
    ]


def kinds(hint: Any) -> list[Any]:
    """Return the dataclass in an annotation, if there is one."""
    return [kind for kind in (hint, *get_args(hint)) if is_dataclass(kind)]


@pytest.mark.parametrize(("table", "key"), numbers())
@pytest.mark.parametrize("value", [-1, float("inf"), 10**400])
def test_no_number_may_be_negative_or_infinite(table: str, key: str, value: float) -> None:
    tables: dict[str, Any] = tomllib.loads(WHOLE)
    tables.setdefault(table, {})[key] = value
    with pytest.raises(UserError, match=rf"^{table}\.{key} is (-1|inf|10000*\.\.\.); it must be a"):
        make_recipe(tables)


def test_a_file_that_is_not_text_and_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not TOML"):
        load_recipe(path)
    with pytest.raises(UserError, match="cannot be read"):
        load_recipe(tmp_path)


def test_the_nearest_recipe_is_named() -> None:
    with pytest.raises(UserError, match='Did you mean "timelens-7b"'):
        find_recipe("timelens-7")


def test_a_recipe_may_be_a_file(tmp_path: Path) -> None:
    path = written(tmp_path, WHOLE)
    assert find_recipe(str(path)) == path
    assert load_recipe(path).model.protocol == "strict@2"

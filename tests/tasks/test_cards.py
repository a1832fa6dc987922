"""Required fields of every built-in task's card, and their agreement with the real files."""

import hashlib
import re
import tomllib
from pathlib import Path

import pytest

from tests.reference_data import BENCHMARKS, needs_benchmarks
from vtg_eval.errors import DataError, UserError
from vtg_eval.registry import Registry
from vtg_eval.scoring.score import FAMILIES
from vtg_eval.task import load_card
from vtg_eval.types import OutputType

CARDS = Path(__file__).parents[2] / "tasks"
REGISTRY = Registry.discover()
TASKS = [
    name for name, entry in REGISTRY.tasks.items() if entry.target.startswith("vtg_eval.tasks.")
]
every_task = pytest.mark.parametrize("name", TASKS)
COMMIT = re.compile(r"https://[^\s]*/[0-9a-f]{40}/[^\s]+")


def splits() -> list[tuple[str, str]]:
    """Return (task, split) pairs, read from the cards so that test collection imports no task."""
    cards = {name: CARDS / f"{name}.toml" for name in TASKS}
    return [
        (name, row["name"])
        for name, path in cards.items()
        if path.is_file()
        for row in tomllib.loads(path.read_text(encoding="utf-8"))["splits"]
    ]


def real_samples(task, split: str):
    """Return the split's samples from the real files; skip the test if they are missing."""
    try:
        return task.samples(BENCHMARKS, split)
    except DataError:
        raise
    except UserError:
        pytest.skip(f"the files of {task.card.name}, {split} are missing")


@every_task
def test_a_card_loads_with_every_required_field(name):
    card = REGISTRY.task(name).card
    assert card.name == name
    assert re.fullmatch(r"[1-9][0-9]*-[A-Z]", card.version)
    texts = (card.title, card.paper, card.home, card.licence, card.sample_ids, card.videos)
    assert all(texts)
    assert all(card.gotchas)
    if card.reannotates:
        assert REGISTRY.task(card.reannotates).card.reannotates == ""


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("queries = 3720", "querys = 3720", 'no key "splits[0].querys". Did you mean "queries"'),
        (
            "queries = 12408",
            "queries = '12408'",
            "splits[1].queries is '12408'; it must be a whole",
        ),
        ("[0.0, 0.45]", "[0.0]", "constant_span is [0.0]; it must be a list of 2"),
        ("unpack = true", "unpack = 1", "files[3].unpack is 1; it must be true or false"),
        ("[[files]]\npath", "[[files]]\nname", 'no key "files[0].name"'),
        ('licence = "', 'license = "', 'no key "license". Did you mean "licence"'),
        ('title = "', '# "', 'the key "title" is missing'),
        ("[[files]]", "[[files]", "not TOML"),
    ],
)
def test_the_error_for_a_mistake_in_a_card_names_the_key(tmp_path, old, new, named):
    text = (CARDS / "charades_sta.toml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "card.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError, match=r"card\.toml: ") as caught:
        load_card(path)
    assert named in str(caught.value)


@every_task
def test_the_metric_family_and_the_default_protocol_exist(name):
    card = REGISTRY.task(name).card
    assert card.metric_family in FAMILIES
    protocol = REGISTRY.protocol(card.default_protocol)
    assert protocol.covers(name, card.metric_family)
    assert REGISTRY.protocol("strict@2").covers(name, card.metric_family)


@every_task
def test_splits_have_counts_and_different_names(name):
    card = REGISTRY.task(name).card
    names = [metadata.name for metadata in card.splits]
    assert card.default_split in names
    assert len(set(names)) == len(names)
    for metadata in card.splits:
        # 0 videos: the split was not available, its count is unknown
        assert 0 <= metadata.videos <= metadata.queries > 0, metadata


@every_task
def test_files_have_a_source_and_a_digest(name):
    card = REGISTRY.task(name).card
    split_names = {metadata.name for metadata in card.splits}
    paths = [source.path for source in card.files]
    assert len(set(paths)) == len(paths)
    for source in card.files:
        assert source.home, source.path
        assert re.fullmatch(r"([0-9a-f]{64})?", source.sha256), source.path
        assert set(source.needed_for) <= split_names, source.path
        assert not Path(source.path).is_absolute() and ".." not in Path(source.path).parts
        if source.unpack:  # videos: their sources state no version and no digest
            assert source.fetch is None or source.fetch.startswith("https://")
        elif source.fetch is not None:
            assert COMMIT.fullmatch(source.fetch), f"{source.path}: no commit in {source.fetch}"
            assert source.sha256, f"{source.path}: a fetched file needs a digest"


@needs_benchmarks
@every_task
def test_the_real_files_have_the_cards_digests(name):
    task = REGISTRY.task(name)
    for source in task.card.files:
        path = task.folder(BENCHMARKS) / source.path
        if path.is_file() and source.sha256:
            assert hashlib.sha256(path.read_bytes()).hexdigest() == source.sha256, source.path


@needs_benchmarks
@pytest.mark.parametrize(("name", "split"), splits())
def test_the_real_files_have_the_cards_counts(name, split):
    task = REGISTRY.task(name)
    samples = real_samples(task, split)
    metadata = next(metadata for metadata in task.card.splits if metadata.name == split)
    assert len(samples) == len({s.id for s in samples}) == metadata.queries
    assert len({s.video for s in samples}) == metadata.videos
    if task.card.report_by:
        assert all(s.group(task.card.report_by) for s in samples)


@needs_benchmarks
@pytest.mark.parametrize(("name", "split"), splits())
def test_the_right_option_is_one_of_the_options_or_the_card_names_the_sample(name, split):
    task = REGISTRY.task(name)
    samples = [s for s in real_samples(task, split) if s.asks is not OutputType.SPANS and s.options]
    strange = [s.id for s in samples if s.target.choice not in tuple(s.letters)]
    gotchas = " ".join(task.card.gotchas)
    assert not [sample for sample in strange if sample not in gotchas]

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vtg_eval.checkpoint.statements import origins, own_names
from vtg_eval.errors import UserError

TITLE = "the title of its README.md"
BASE = "base_model in its README.md"
CARD = "---\nlicense: mit\nbase_model:\n- ORG/One\n  - 'ORG/Two'\ntags:\n- ORG/Tag\n---\n\n# Mine\n"


@pytest.mark.parametrize(
    ("card", "names", "bases"),
    [
        (CARD, ["Mine"], ["ORG/One", "ORG/Two"]),
        (CARD.replace("\n", "\r\n"), ["Mine"], ["ORG/One", "ORG/Two"]),
        ("\ufeff" + CARD, ["Mine"], ["ORG/One", "ORG/Two"]),
        ('---\nbase_model: "ORG/One"\n---\n#  Mine \ntext\n# Second\n', ["Mine"], ["ORG/One"]),
        ("---\n# comment\nbase_model: ORG/One\n---\n", [], ["ORG/One"]),
        ("---\nbase_model:\n---\n# Mine", ["Mine"], []),
        ("```python\n# Code\n```\n# Mine\n", ["Mine"], []),
        ("## Mine\nbase_model: ORG/One\n", [], []),
        ("---\nbase_model: ORG/One\n", [], []),
        ("text\n---\nbase_model: ORG/One\n---\n", [], []),
        ("", [], []),
    ],
)
def test_a_model_card(card: str, names: list[str], bases: list[str], tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(card.encode())
    assert list(own_names(tmp_path)) == [(TITLE, name) for name in names]
    assert list(origins(tmp_path)) == [(BASE, base) for base in bases]


def test_a_card_of_other_bytes_or_none_says_nothing(tmp_path: Path) -> None:
    assert [*own_names(tmp_path), *origins(tmp_path)] == []
    (tmp_path / "README.md").write_bytes(b"\xff\xfe#\x00 \x00M\x00")
    assert [*own_names(tmp_path), *origins(tmp_path)] == []
    (tmp_path / "README.md").unlink()
    (tmp_path / "README.md").mkdir()
    assert [*own_names(tmp_path), *origins(tmp_path)] == []


def test_the_end_of_a_long_card_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("word " * 20_000 + "\n# Mine\n")
    assert list(own_names(tmp_path)) == []


def test_the_configuration_names_what_it_was_made_from(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"_name_or_path": "ORG/One"}))
    (tmp_path / "adapter_config.json").write_text(
        json.dumps({"base_model_name_or_path": "ORG/Two"})
    )
    assert list(map(str, origins(tmp_path))) == [
        '_name_or_path in its config.json is "ORG/One"',
        'base_model_name_or_path in its adapter_config.json is "ORG/Two"',
    ]
    assert list(own_names(tmp_path)) == []


@pytest.mark.parametrize("value", [5, None, "", ["ORG/One"]])
def test_what_is_no_name_in_the_configuration_says_nothing(value: object, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"_name_or_path": value}))
    assert list(origins(tmp_path)) == []


def test_a_broken_configuration_is_named(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{")
    with pytest.raises(UserError, match=r"adapter_config\.json cannot be read"):
        list(origins(tmp_path))


def test_the_hubs_cache_names_the_repository(tmp_path: Path) -> None:
    snapshot = tmp_path / "models--TencentARC--TimeLens-8B" / "snapshots" / "4cb89bb"
    snapshot.mkdir(parents=True)
    (tmp_path / "link").symlink_to(snapshot)
    for folder in (snapshot, tmp_path / "link"):
        assert [s.value for s in own_names(folder)] == ["TencentARC/TimeLens-8B"]
    assert list(own_names(snapshot.parent)) == []
    assert list(own_names(snapshot.parent.parent)) == []


def test_the_folders_name_says_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "TencentARC" / "TimeLens-8B"
    folder.mkdir(parents=True)
    assert list(own_names(folder)) == []

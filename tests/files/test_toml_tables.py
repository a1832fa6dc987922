"""TOML read into dataclasses: an error names the file, the key and the value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta

from vtg_eval.errors import UserError
from vtg_eval.files.toml_tables import converted, load_toml, read_toml

Share = Annotated[float, Meta(ge=0, le=1)]


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    videos: Annotated[int, Meta(gt=0)] = 1


@dataclass(frozen=True, slots=True)
class Part:
    steps: int
    share: Share = 0.5
    kind: Literal["cosine", "linear"] = "cosine"
    window: tuple[Share, Share] = (0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Whole:
    name: str
    flag: bool = False
    part: Part | None = None
    rows: tuple[Row, ...] = ()
    by_name: Mapping[str, Row] = field(default_factory=dict)
    free: Mapping[str, Any] = field(default_factory=dict)
    limit: Annotated[int, Meta(ge=1)] | None = None


def load(folder: Path, text: str | bytes) -> Whole:
    path = folder / "t.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_toml(path, "a whole", lambda table: converted(table, Whole))


def test_tables_become_dataclasses_and_whole_numbers_floats(tmp_path: Path) -> None:
    text = """
    name = "n"
    limit = 3
    part = { steps = 2, share = 1, window = [0, 0.5] }
    rows = [{ name = "a" }, { name = "b", videos = 7 }]
    by_name.c = { name = "c" }
    free.x.y = [1, "2"]
    """
    table = load(tmp_path, text)
    assert table == Whole(
        "n",
        part=Part(2, 1.0, window=(0.0, 0.5)),
        rows=(Row("a"), Row("b", 7)),
        by_name={"c": Row("c")},
        free={"x": {"y": [1, "2"]}},
        limit=3,
    )
    assert table.part and type(table.part.share) is float and type(table.part.window[0]) is float


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", 'the key "name" is missing'),
        ("name = 3", "name is 3; it must be text"),
        ("name = 1979-05-27", "name is datetime.date(1979, 5, 27); it must be text"),
        ("nmae = 'n'", 'there is no key "nmae". Did you mean "name"?'),
        ("'' = 'n'", 'there is no key "". Known: by_name, flag'),
        ("name = 'n'\nflag = 1", "flag is 1; it must be true or false"),
        ("name = 'n'\nlimit = 0", "limit is 0; it must be a whole number of at least 1"),
        ("name = 'n'\nlimit = 1.0", "limit is 1.0; it must be a whole number of at least 1"),
        ("name = 'n'\nlimit = true", "limit is True; it must be a whole number"),
        ("name = 'n'\npart = 3", "part is 3; it must be a table"),
        ("name = 'n'\npart = []", "part is []; it must be a table"),
        ("name = 'n'\n[part]", 'the key "part.steps" is missing'),
        ("name = 'n'\n[part]\nstep = 1", 'there is no key "part.step". Did you mean "steps"?'),
        ("name = 'n'\n[part]\nsteps = '1'", "part.steps is '1'; it must be a whole number"),
        (
            "name = 'n'\n[part]\nsteps = 1\nshare = nan",
            "part.share is nan; it must be a finite number",
        ),
        (
            "name = 'n'\n[part]\nsteps = 1\nshare = inf",
            "part.share is inf; it must be a finite number",
        ),
        ("name = 'n'\n[part]\nsteps = 1\nshare = 1e999", "part.share is inf"),
        ("name = 'n'\n[part]\nsteps = nan", "part.steps is nan; it must be a whole number"),
        (
            "name = 'n'\n[part]\nsteps = 1\nshare = 1.5",
            "part.share is 1.5; it must be a finite number of at least 0 and at most 1",
        ),
        (
            "name = 'n'\n[part]\nsteps = 1\nshare = true",
            "part.share is True; it must be a finite number",
        ),
        (
            "name = 'n'\n[part]\nsteps = 1\nkind = 'cosin'",
            "part.kind is 'cosin'; it must be one of cosine, linear",
        ),
        (
            "name = 'n'\n[part]\nsteps = 1\nkind = 'a - at `$.part.steps`'",
            "part.kind is 'a - at `$.part.steps`'; it must be one of",
        ),
        ("name = 'n'\n[part]\nsteps = 1\nkind = [1]", "part.kind is [1]; it must be one of"),
        (
            "name = 'n'\n[part]\nsteps = 1\nwindow = [0]",
            "part.window is [0]; it must be a list of 2",
        ),
        (
            "name = 'n'\n[part]\nsteps = 1\nwindow = [0, 2]",
            "part.window[1] is 2; it must be a finite number",
        ),
        ("name = 'n'\n[part]\nsteps = 1\nwindow = [0, nan]", "part.window[1] is nan"),
        ("name = 'n'\nrows = 3", "rows is 3; it must be a list"),
        ("name = 'n'\nrows = [3]", "rows[0] is 3; it must be a table"),
        ("name = 'n'\nrows = [[]]", "rows[0] is []; it must be a table"),
        (
            "name = 'n'\nrows = [{ name = 'a' }, { name = 'b', videos = 0 }]",
            "rows[1].videos is 0; it must be a whole number above 0",
        ),
        (
            "name = 'n'\nrows = [{ name = 'a', video = 1 }]",
            'there is no key "rows[0].video". Did you mean "videos"?',
        ),
        ("name = 'n'\nrows = [{}]", 'the key "rows[0].name" is missing'),
        ("name = 'n'\nby_name.c = 3", "by_name.c is 3; it must be a table"),
        ("name = 'n'\nby_name.c.name = 3", "by_name.c.name is 3; it must be text"),
        ("name = 'n'\nby_name = 'c'", "by_name is 'c'; it must be a table"),
        ("name = 'n'\nfree = 3", "free is 3; it must be a table"),
        (f"name = [{'0,' * 999}]", "name is [0, 0, 0, 0, 0,"),
        pytest.param(f"name{'.a' * 2000} = 1", "name is too large a dict", id="deep"),
        (f"name = 0x{'f' * 9999}", "name is too large a int; it must be text"),
        (f"name = 'n'\n[part]\nsteps = 1\nshare = 1{'0' * 400}", "part.share is 1000"),
    ],
)
def test_the_error_for_an_unfit_value_names_it(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(UserError) as caught:
        load(tmp_path, text)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 't.toml'}: not a whole: {problem}")
    assert len(message) < len(str(tmp_path)) + 200 and "\n" not in message


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("name =", "not TOML: Invalid value"),
        ("name = 'n'\nname = 'm'", "not TOML: Cannot overwrite a value"),
        ("[part]\n[part]", "not TOML: Cannot declare"),
        ("name = 'n", "not TOML: "),
        (f"limit = 1{'0' * 9999}", "not TOML: "),
        (b"\xff\xfe\x00", "not TOML: 'utf-8' codec can't decode"),
        ("name = 'n\0'", "not TOML: "),
        (f"name = {'[' * 9999}", "nested too deeply"),
        (f"name = {'{a=' * 9999}", "nested too deeply"),
    ],
)
def test_a_file_that_is_not_toml_is_named(tmp_path: Path, text: str | bytes, problem: str) -> None:
    with pytest.raises(UserError) as caught:
        load(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 't.toml'}: ")
    assert problem in str(caught.value)


def test_a_byte_order_mark_is_not_part_of_the_first_key(tmp_path: Path) -> None:
    assert load(tmp_path, b"\xef\xbb\xbfname = 'n'") == Whole("n")


def test_the_error_for_a_missing_or_unreadable_file_names_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.toml cannot be read: No such file"):
        read_toml(tmp_path / "none.toml")
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        read_toml(tmp_path)


def test_the_key_of_the_table_precedes_the_nested_keys() -> None:
    with pytest.raises(UserError, match=r"spec\.part\.steps is None; it must be a whole number"):
        converted({"name": "n", "part": {"steps": None}}, Whole, "spec")
    with pytest.raises(UserError, match="tasks is 3; it must be a table"):
        converted(3, dict[str, Whole], "tasks")


def test_null_is_read_where_a_value_is_optional() -> None:
    table = {"name": "n", "part": None, "limit": None, "rows": [{"name": "a"}]}
    assert converted(table, Whole) == Whole("n", rows=(Row("a"),))
    with pytest.raises(UserError, match=r"rows\[1\] is None; it must be a table"):
        converted({**table, "rows": [{"name": "a"}, None]}, Whole)

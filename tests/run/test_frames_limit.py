from __future__ import annotations

import pytest

from vtg_eval.errors import UserError
from vtg_eval.run.frames_limit import LIMIT_VARIABLE, frames_limit, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("80GiB", 80 * 2**30),
        ("500GB", 500 * 10**9),
        ("1.5 TB", 15 * 10**11),
        ("2tib", 2 * 2**40),
        ("20kb", 20_000),
        ("0MB", 0),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "80", "-1GB", "GB", "1 000GB", "1e3GB", "nan", "1GBs", "٣GB"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size such as 80GiB"):
        parse_size(text)


def test_an_argument_comes_before_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LIMIT_VARIABLE, raising=False)
    assert frames_limit(None) is None
    monkeypatch.setenv(LIMIT_VARIABLE, "1GB")
    assert frames_limit(None) == 10**9
    assert frames_limit(0) == 0
    monkeypatch.setenv(LIMIT_VARIABLE, "much")
    assert frames_limit(5) == 5
    with pytest.raises(UserError, match=LIMIT_VARIABLE):
        frames_limit(None)

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from vtg_eval.files.json_files import indented

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)


@given(st.recursive(SCALARS, lambda v: st.lists(v) | st.dictionaries(st.text(), v)), st.booleans())
def test_indented_json_is_that_of_the_standard_library(value: object, ascii_only: bool) -> None:
    assert indented(value, ascii_only) == json.dumps(value, indent=2, ensure_ascii=ascii_only)


def test_half_a_surrogate_pair_is_indented_too() -> None:
    value = {"text": ["\ud83d"]}
    assert indented(value) == json.dumps(value, indent=2)
    assert indented(value, ascii_only=False) == json.dumps(value, indent=2, ensure_ascii=False)

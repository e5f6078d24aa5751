"""Only what every other party can read back is JSON here."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_core.web.strict_json import loads

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"))
)
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner)
)


@given(_VALUES)
def test_every_interoperable_value_is_read_as_it_is(value: object) -> None:
    assert loads(json.dumps(value)) == value
    assert loads(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (b"NaN", "NaN is not JSON"),
        (b"[-Infinity]", "-Infinity is not JSON"),
        (b"1e999", "beyond the range"),
        (b"18446744073709551616", "beyond 64 bits"),
        (b"-9223372036854775809", "beyond 64 bits"),
        (b"1" * 5000, "digits"),
        (b'"\\ud800"', "not Unicode"),
        (b'{"\\uDC00": 1}', "not Unicode"),
        (b'"\xff"', "not Unicode"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_everything_else_is_refused_with_the_reason(text: bytes, reason: str) -> None:
    with pytest.raises(json.JSONDecodeError, match=reason):
        loads(text)


def test_a_whole_surrogate_pair_is_one_character() -> None:
    assert loads(b'"\\ud83d\\ude00"') == "\N{GRINNING FACE}"

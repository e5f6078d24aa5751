"""Durations."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from graph_compiler.values.durations import Duration, parse_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("500ms", 0.5),
        ("1s", 1),
        ("2m", 120),
        ("1.5h", 5400),
        ("1d", 86400),
        (3, 3),
        (0.25, 0.25),
        ("0s", 0),
        (" 1s ", 1),
    ],
)
def test_duration_is_seconds(written: object, seconds: float) -> None:
    assert parse_duration(written) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "written", ["", "1", "1 s", "-1s", "1w", "1s1s", "s", -1, True, None, [], "9" * 12 + "d", float("nan")]
)
def test_what_is_no_duration_is_refused(written: object) -> None:
    with pytest.raises(ValidationError) as raised:
        TypeAdapter(Duration).validate_python(written)
    assert raised.value.errors()[0]["type"] == "bad_duration"

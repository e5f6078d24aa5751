"""Which edges may fit, and which values are of a type."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from graph_compiler.values.port_types import PortType, conforms, fits, type_of

TYPES: tuple[PortType, ...] = get_args(PortType)


@pytest.mark.parametrize("port_type", TYPES)
def test_every_type_fits_itself_and_any(port_type: PortType) -> None:
    assert fits(port_type, port_type)
    assert fits(port_type, "any")
    assert fits("any", port_type)


def test_only_types_with_common_values_fit() -> None:
    concrete = [port_type for port_type in TYPES if port_type != "any"]
    fitting = {(a, b) for a in concrete for b in concrete if a != b and fits(a, b)}
    assert fitting == {("integer", "number"), ("number", "integer")}


@pytest.mark.parametrize(
    ("value", "port_type"),
    [
        (None, "null"), (True, "boolean"), (1, "integer"), (1.0, "integer"), (1.5, "number"), ("", "string"),
        ([], "array"), ({}, "object"), (b"", "bytes"),
    ],
)  # fmt: skip
def test_value_has_the_narrowest_type(value: Any, port_type: PortType) -> None:
    assert type_of(value) == port_type
    assert [known for known in TYPES if conforms(value, known)] == [
        known for known in TYPES if known in {"any", port_type} or (port_type == "integer" and known == "number")
    ]


def test_what_no_port_carries_is_refused() -> None:
    with pytest.raises(TypeError, match="no port carries set"):
        type_of({1})

"""The types of ports, and the two questions asked of them: may this edge fit, and is this value one."""

from __future__ import annotations

from typing import Any, Literal

PortType = Literal["any", "null", "boolean", "integer", "number", "string", "array", "object", "bytes"]

_JSON = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
_HOLDS: dict[str, frozenset[str]] = {
    "any": _JSON | {"bytes"},
    "number": frozenset({"integer", "number"}),
}


def fits(source: PortType, target: PortType) -> bool:
    """Whether some value of `source` is also one of `target`: an edge between them is not surely wrong."""
    return bool(_values(source) & _values(target))


def conforms(value: Any, port_type: PortType) -> bool:
    """Whether the value is of the port type."""
    return type_of(value) in _values(port_type)


def type_of(value: Any) -> PortType:
    """The narrowest port type of a JSON value or of bytes; a whole float counts as an integer, as in JSON Schema."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "number"
        case str():
            return "string"
        case list():
            return "array"
        case dict():
            return "object"
        case bytes():
            return "bytes"
    raise TypeError(f"no port carries {type(value).__name__}")


def _values(port_type: PortType) -> frozenset[str]:
    return _HOLDS.get(port_type, frozenset({port_type}))

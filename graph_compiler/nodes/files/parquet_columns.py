"""The columns of a Parquet file that is written: their types, and cells of exactly these types, nothing cast."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from graph_compiler.values.binary import dumps
from graph_compiler.values.errors import BadValue
from graph_compiler.values.values import LARGEST_INTEGER, SMALLEST_INTEGER

LARGEST_SIGNED = 2**63 - 1
TYPES = {
    "text": "string", "integer": "int64", "unsigned": "uint64", "number": "float64", "boolean": "bool_",
    "json": "string", "bytes": "binary",
}  # fmt: skip
"""pyarrow's type for each kind of column; `unsigned` is an `integer` with values beyond 63 bits."""
_KINDS: Mapping[type, str] = {
    bool: "boolean", int: "integer", float: "number", str: "text", bytes: "bytes", list: "json", dict: "json"
}  # fmt: skip


def kinds_of(rows: list[dict[str, Any]], types: Mapping[str, str]) -> dict[str, str]:
    """The kind of each column of all rows, as `types` says or as its values are. Raises `BadValue`."""
    names = dict.fromkeys(name for row in rows for name in row)
    if rows:
        _check_names(names, types)
    kinds: dict[str, str] = {}
    for name in names or types:
        values = [value for row in rows if (value := row.get(name)) is not None]
        kind = types.get(name) or _kind_of(name, rows)
        kinds[name] = "unsigned" if kind == "integer" and _are_unsigned(values) else kind
    return kinds


def cells_of(rows: list[dict[str, Any]], name: str, kind: str, first: int) -> list[Any]:
    """The cells of one column, the first row being number `first`. Raises `BadValue` naming the row."""
    cells = []
    for index, row in enumerate(rows, first):
        try:
            cells.append(_cell(row.get(name), kind))
        except ValueError as error:
            raise BadValue(f"rows[{index}], column {name!r}: {error}") from None
    return cells


def _check_names(names: Collection[str], types: Iterable[str]) -> None:
    if not names:
        raise BadValue("rows[0] has no columns, and a table needs one")
    for name in types:
        if name not in names:
            raise BadValue(f"`types` names {name!r}, a column that no row has; the rows have {', '.join(names)}")


def _kind_of(name: str, rows: list[dict[str, Any]]) -> str:
    """What holds all values of the column: one type, `number` for numbers, `json` if one is an object or list."""
    first: dict[str, int] = {}
    for index, row in enumerate(rows):
        if (value := row.get(name)) is not None:
            first.setdefault(_KINDS[type(value)], index)
    if len(first) <= 1:
        return next(iter(first), "text")
    if first.keys() == {"integer", "number"}:
        return "number"
    if "json" in first:
        return "json"
    (one, before), (other, index), *_ = first.items()
    said = f"{other}, and rows[{before}] has {one}; `types` may say that the column is `json`, which takes both"
    raise BadValue(f"rows[{index}], column {name!r}: {said}")


def _are_unsigned(values: list[Any]) -> bool:
    return any(value > LARGEST_SIGNED for value in values if type(value) is int) and all(
        value >= 0 for value in values if type(value) in (int, float)
    )


def _cell(value: Any, kind: str) -> Any:
    """The value as a cell of the column. Raises ValueError where it would have to change."""
    if value is None:
        return None
    if kind == "json":
        return dumps(value, ensure_ascii=False)
    if kind in ("integer", "unsigned"):
        return _integer(value, kind)
    if kind == "number":
        return _number(value)
    if _KINDS[type(value)] != kind:
        raise ValueError(f"{_shown(value)} is not of type {kind}")
    return value


def _integer(value: Any, kind: str) -> int:
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int:
        raise ValueError(f"{_shown(value)} is not of type integer")
    low, high = (0, LARGEST_INTEGER) if kind == "unsigned" else (SMALLEST_INTEGER, LARGEST_SIGNED)
    if not low <= value <= high:
        raise ValueError(f"{value} is not from {low} to {high}, as this column's integers are")
    return value


def _number(value: Any) -> float:
    if type(value) is float:
        return value
    if type(value) is not int:
        raise ValueError(f"{_shown(value)} is not of type number")
    if int(float(value)) != value:
        raise ValueError(f"{value} would be rounded among numbers of 64 bits; give text")
    return float(value)


def _shown(value: Any) -> str:
    text = dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."

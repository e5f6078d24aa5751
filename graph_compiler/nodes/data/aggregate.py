"""`aggregate`: groups of a list's items, with totals over each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from graph_compiler.nodes.data.query import QUERY_FAILURES, query_defects, rendered_query
from graph_compiler.nodes.node_type import ConfigDefect, NodeCall, NodeConfig, NodeType, Port, Ports
from graph_compiler.templates.queries import Query
from graph_compiler.values.canonical import canonical_json
from graph_compiler.values.errors import BadValue
from graph_compiler.values.port_types import type_of

Operation = Literal["count", "sum", "min", "max", "mean"]
_NUMERIC = frozenset({"sum", "mean"})


class Total(NodeConfig):
    """One figure over the items of a group."""

    op: Operation = Field(description="What is computed.")
    of: str | None = Field(
        default=None,
        description="A JMESPath expression over one item; without it the item itself, and `count` counts all items.",
    )


class AggregateConfig(NodeConfig):
    """Config of `aggregate`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "group_by": {"country": "address.country"},
                    "totals": {"orders": {"op": "count"}, "revenue": {"op": "sum", "of": "price"}},
                }
            ]
        }
    )

    group_by: dict[str, str] = Field(
        default_factory=dict,
        description="Keys of a group by name, each a JMESPath expression over one item; without any, one group.",
    )
    totals: Annotated[dict[str, Total], Field(min_length=1)] = Field(description="Figures of a group by name.")


class Aggregate(NodeType[AggregateConfig]):
    """See the module."""

    name = "aggregate"
    summary = "Group the items of a list, and count, sum, and compare them."
    config_model = AggregateConfig
    light = True
    notes = (
        "Groups come in the order of their first items. Items for which `of` gives null are left out, as in SQL;"
        " `min`, `max` and `mean` of nothing are null, `sum` of nothing is 0. Sums of integers are exact;"
        " `min` and `max` compare numbers with numbers and text with text."
    )
    failures = QUERY_FAILURES

    def ports(self, config: AggregateConfig) -> Ports:
        return Ports(
            inputs=(Port("items", "array", "The list.", required=True),),
            outputs=(
                Port("groups", "array", "An object for each group, with its keys and totals."),
                Port("total", "object", "The totals over all items."),
            ),
            open=False,
        )

    def defects(self, config: AggregateConfig) -> Iterator[ConfigDefect]:
        for name, expression in config.group_by.items():
            yield from query_defects(expression, f"/group_by/{name}")
            if name in config.totals:
                yield ConfigDefect("bad_value", f"/totals/{name}", f"`{name}` is a key of the groups already")
        for name, total in config.totals.items():
            yield from query_defects(total.of, f"/totals/{name}/of")

    def execute(self, call: NodeCall[AggregateConfig]) -> Mapping[str, Any]:
        items: list[Any] = call.inputs["items"]
        keys = {name: rendered_query(text) for name, text in call.config.group_by.items()}
        totals = {name: (total.op, _query_of(total)) for name, total in call.config.totals.items()}
        overall = _totals(totals, items)
        if not keys:
            return {"groups": [overall], "total": overall}
        groups: dict[str, tuple[dict[str, Any], list[Any]]] = {}
        for item in items:
            key = {name: query.of(item) for name, query in keys.items()}
            groups.setdefault(canonical_json(key), (key, []))[1].append(item)
        return {"groups": [{**key, **_totals(totals, group)} for key, group in groups.values()], "total": overall}


def _query_of(total: Total) -> Query | None:
    if total.of is None and total.op == "count":
        return None
    return rendered_query(total.of or "@")


def _totals(totals: Mapping[str, tuple[Operation, Query | None]], items: list[Any]) -> dict[str, Any]:
    return {name: _total(name, op, _values(name, op, query, items)) for name, (op, query) in totals.items()}


def _total(name: str, op: Operation, values: list[Any]) -> Any:
    try:
        return _OPERATIONS[op](values)
    except OverflowError:
        raise BadValue(f"totals.{name}: the {op} is beyond what a number can be") from None


def _values(name: str, op: Operation, query: Query | None, items: list[Any]) -> list[Any]:
    """What the total is made of; raises `BadValue` naming the item that does not fit."""
    if query is None:
        return items
    found = [value for value in map(query.of, items) if value is not None]
    if op == "count":
        return found
    for value in found:
        kind = "number" if type_of(value) in ("integer", "number") else type_of(value)
        first = "number" if op in _NUMERIC or type_of(found[0]) != "string" else "string"
        if kind != first:
            raise BadValue(f"totals.{name}: {op} of {first}s met {kind} in the item {_place(query, items, value)}")
    return found


def _place(query: Query, items: list[Any], value: Any) -> int:
    return next(index for index, item in enumerate(items) if query.of(item) is value or query.of(item) == value)


def _sum(values: list[Any]) -> int | float:
    return sum(values) if all(isinstance(value, int) for value in values) else math.fsum(values)


_OPERATIONS: dict[str, Callable[[list[Any]], Any]] = {
    "count": len,
    "sum": _sum,
    "min": lambda values: min(values, default=None),
    "max": lambda values: max(values, default=None),
    "mean": lambda values: _sum(values) / len(values) if values else None,
}

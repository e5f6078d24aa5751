"""`filter`: the items of a list that meet a condition, and the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from graph_compiler.nodes.data.query import QUERY_FAILURES, query_defects, rendered_query
from graph_compiler.nodes.node_type import TEMPLATED, ConfigDefect, NodeCall, NodeConfig, NodeType, Port, Ports

_FALSE: tuple[Any, ...] = (None, False, "", [], {})


class FilterConfig(NodeConfig):
    """Config of `filter`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"where": "size > `10` && status == 'open'"}, {"where": "contains(tags, '{{ params.tag }}')"}]
        }
    )

    where: Annotated[str, TEMPLATED] = Field(
        description="A JMESPath expression over one item, kept unless that gives false, null or something empty."
    )


class Filter(NodeType[FilterConfig]):
    """See the module."""

    name = "filter"
    summary = "Keep the items of a list that meet a condition."
    config_model = FilterConfig
    light = True
    notes = "Numbers are written between backticks in JMESPath, texts between single quotes; `@` is the item itself."
    failures = QUERY_FAILURES

    def ports(self, config: FilterConfig) -> Ports:
        return Ports(
            inputs=(Port("items", "array", "The list.", required=True),),
            outputs=(
                Port("items", "array", "The items that meet the condition, in their order."),
                Port("rest", "array", "The others, in their order."),
            ),
        )

    def defects(self, config: FilterConfig) -> Iterator[ConfigDefect]:
        yield from query_defects(config.where, "/where")

    def execute(self, call: NodeCall[FilterConfig]) -> Mapping[str, Any]:
        query = rendered_query(call.config.where)
        kept: list[Any] = []
        rest: list[Any] = []
        for item in call.inputs["items"]:
            (kept if _is_true(query.of(item)) else rest).append(item)
        return {"items": kept, "rest": rest}


def _is_true(found: Any) -> bool:
    """JMESPath's truth: unlike Python's, zero is true."""
    return not any(found is false or (type(found) is type(false) and found == false) for false in _FALSE)

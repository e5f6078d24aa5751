"""`query`: what a JMESPath expression finds in a value; and the type of config fields that hold such expressions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from graph_compiler.nodes.node_type import (
    TEMPLATED,
    ConfigDefect,
    FailureKind,
    NodeCall,
    NodeConfig,
    NodeType,
    Port,
    Ports,
)
from graph_compiler.templates.queries import BadQuery, Query, read_query
from graph_compiler.templates.templates import is_template
from graph_compiler.values.errors import NodeError
from graph_compiler.values.texts import shortened

QUERY_FAILURES = (
    FailureKind("bad_expression", "A rendered expression is not JMESPath."),
    FailureKind("query_error", "The expression cannot be applied to the value it met."),
    FailureKind("query_too_large", "The expression takes more than ten million steps, or builds as much."),
)


def query_defects(text: Any, path: str) -> Iterator[ConfigDefect]:
    """What is wrong with an expression in a config, unless a template is still to make it."""
    if not isinstance(text, str) or is_template(text):
        return
    try:
        read_query(text)
    except BadQuery as error:
        yield ConfigDefect("bad_expression", path, f"not a JMESPath expression: {error}", 1, error.column)


def rendered_query(text: str) -> Query:
    """The query of a rendered expression; raises `NodeError` bad_expression."""
    try:
        return read_query(text)
    except BadQuery as error:
        raise NodeError("bad_expression", f"{shortened(text, 80)}: {error}", retryable=False) from None


class QueryConfig(NodeConfig):
    """Config of `query`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"expression": "people[?age > `{{ params.age }}`].{name: name, city: address.city}"}]
        }
    )

    expression: Annotated[str, TEMPLATED] = Field(description="A JMESPath expression over the input `value`.")


class QueryNode(NodeType[QueryConfig]):
    """See the module."""

    name = "query"
    summary = "Find or reshape parts of a value with JMESPath."
    config_model = QueryConfig
    light = True
    notes = "The language is [JMESPath](https://jmespath.org). What is not found is null."
    failures = QUERY_FAILURES

    def ports(self, config: QueryConfig) -> Ports:
        return Ports(
            inputs=(Port("value", description="What is queried.", required=True),),
            outputs=(Port("value", description="What the expression finds, or null."),),
        )

    def defects(self, config: QueryConfig) -> Iterator[ConfigDefect]:
        yield from query_defects(config.expression, "/expression")

    def execute(self, call: NodeCall[QueryConfig]) -> Mapping[str, Any]:
        return {"value": rendered_query(call.config.expression).of(call.inputs["value"])}

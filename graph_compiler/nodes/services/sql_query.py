"""`sql.query`: one SQL statement on a database of the user's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from graph_compiler.language.issues import Issue
from graph_compiler.nodes.node_type import (
    NAMES_SECRET,
    TEMPLATED,
    FailureKind,
    NodeCall,
    NodeConfig,
    NodeType,
    Port,
    Ports,
)
from graph_compiler.nodes.runtime import SqlStatement
from graph_compiler.nodes.services.sql_text import read_sql
from graph_compiler.templates.templates import is_template
from graph_compiler.values.durations import Duration
from graph_compiler.values.errors import NodeError
from graph_compiler.values.pointers import pointer

Value = Any


class SqlQueryConfig(NodeConfig):
    """Config of `sql.query`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "connection": "warehouse",
                    "statement": "SELECT id, total FROM orders WHERE day = CAST(:day AS date)",
                    "params": {"day": "{{ params.day }}"},
                },
                {
                    "connection": "warehouse",
                    "statement": "INSERT INTO totals (name, total) VALUES (:name, :total)",
                    "batch": "{{ inputs.totals }}",
                },
            ]
        }
    )

    connection: str = Field(
        json_schema_extra=NAMES_SECRET,
        description=(
            "Name of the secret with the address: `postgresql://user:password@host/db` or `sqlite:///path/in/files.db`."
        ),
    )
    statement: str = Field(
        description=(
            "One statement; values come in as `:name` only. Templates are not rendered in it, so nothing can be"
            " injected. A colon in a literal, a quoted name, a comment, `$$…$$` or a cast (`:day::date`) is text, as"
            " is one after a letter or digit (`list[1:2]`); anywhere else write `\\:` for a colon that names no value."
        )
    )
    params: Annotated[dict[str, Value], TEMPLATED] = Field(
        default_factory=dict, description="Values of the `:name`s; each has to be used."
    )
    batch: Annotated[list[dict[str, Value]] | None, TEMPLATED] = Field(
        default=None,
        description=(
            "Execute the statement for each of these sets of values, all in one transaction. Each needs the `:name`s;"
            " what else it has is left out if a template gives it, and an error if it stands here."
        ),
    )
    max_rows: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=10_000,
        description="More rows end the node with `sql_too_large`; they are streamed, never all fetched first.",
    )
    timeout: Duration = Field(default=30.0, description="Of everything, from the connection to the commit.")


class SqlQuery(NodeType[SqlQueryConfig]):
    """See the module."""

    name = "sql.query"
    summary = "Execute an SQL statement on PostgreSQL or SQLite."
    config_model = SqlQueryConfig
    notes = (
        "The statement is a transaction of its own: all of it or, after an error, nothing. In the rows, dates and"
        " times are ISO 8601"
        " text, decimals are text (exact), intervals are seconds, bytes are bytes; NaN ends the node with `bad_value`."
        " Objects are bound as JSON text, lists as arrays in PostgreSQL. A SQLite database is a file of yours; it"
        " cannot attach others."
        " An address may not lead to a socket of the machine."
    )
    failures = (
        FailureKind(
            "sql_bad_url", "The secret is not an address of PostgreSQL or SQLite, or has options that are not allowed."
        ),
        FailureKind(
            "sql_refused_target", "The address leads to a socket, a foreign file, or a place that is not allowed."
        ),
        FailureKind("sql_unreachable", "The database does not answer, gave up, or refuses the login.", True),
        FailureKind("sql_timeout", "The statement did not end in time and was stopped.", True),
        FailureKind("sql_constraint", "A constraint of the database is violated."),
        FailureKind(
            "sql_error", "The statement is wrong, or a value it names is missing, not used, or of a wrong type."
        ),
        FailureKind("sql_too_large", "More rows than `max_rows`, or more than 32 MiB of them."),
    )

    def ports(self, config: SqlQueryConfig) -> Ports:
        return Ports(
            inputs=(),
            outputs=(
                Port("rows", "array", "An object for each row."),
                Port("row_count", "integer", "Rows given, or touched by an insert, update or delete."),
            ),
        )

    def defects(self, config: SqlQueryConfig) -> Iterator[Issue]:
        if not config.statement.strip():
            yield Issue("bad_value", "/statement", "the statement is empty")
        if is_template(config.statement):
            hint = "write `:name` in the statement and the template in `params`"
            yield Issue("bad_value", "/statement", "templates are not rendered in a statement", hint=hint)
        if config.batch is not None and config.params:
            yield Issue("bad_value", "/batch", "`params` and `batch` exclude each other")
        elif not is_template(config.statement):
            yield from _value_defects(config)

    def execute(self, call: NodeCall[SqlQueryConfig]) -> Mapping[str, Any]:
        config = call.config
        _check_values(config)
        statement = SqlStatement(config.statement, config.params, config.batch, config.max_rows)
        timeout = config.timeout if call.timeout is None else min(config.timeout, call.timeout)
        answer = call.runtime.sql(call.runtime.secret(config.connection), statement, timeout=timeout)
        return {"rows": answer.rows, "row_count": answer.row_count}


def _value_defects(config: SqlQueryConfig) -> Iterator[Issue]:
    """Values that the statement names and nothing gives, and the reverse, as far as the document says."""
    text = read_sql(config.statement)
    given: list[tuple[str, Any]] = [("/params", config.params)]
    if config.batch is not None:
        rows = config.batch if isinstance(config.batch, list) else []
        given = [(f"/batch/{index}", row) for index, row in enumerate(rows)]
    sets = [(path, values) for path, values in given if isinstance(values, dict)]
    for bind in {bind.name: bind for bind in reversed(text.binds)}.values():
        lacking = next((path for path, values in sets if bind.name not in values), None)
        if lacking is not None:
            said = f"the statement names the value :{bind.name}, which `{lacking[1:]}` does not give"
            hint = "write `\\:` for a colon that names no value"
            yield Issue("bad_value", "/statement", said, hint, inside=(bind.line, bind.column))
    for path, values in sets:
        for name in values:
            if name not in text.names:
                said = f"the statement does not use the value {name!r}"
                yield Issue("bad_value", f"{path}{pointer([name])}", said, hint=f"write `:{name}` in it")


def _check_values(config: SqlQueryConfig) -> None:
    """The same of values that templates gave. Raises `NodeError` sql_error."""
    text = read_sql(config.statement)
    given = [("params", config.params)]
    if config.batch is not None:
        given = [(f"batch[{index}]", row) for index, row in enumerate(config.batch)]
    for place, values in given:
        for bind in text.binds:
            if bind.name not in values:
                said = f"the statement names the value :{bind.name} (line {bind.line}, column {bind.column})"
                raise NodeError("sql_error", f"{said}, which `{place}` does not give", retryable=False)
    unused = sorted(config.params.keys() - text.names)
    if unused:
        raise NodeError("sql_error", f"params: the statement does not use the value {unused[0]!r}", retryable=False)

"""`sql.query`: one SQL statement on a database of the user's."""

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
from graph_compiler.nodes.runtime import SqlStatement
from graph_compiler.templates.templates import is_template
from graph_compiler.values.durations import Duration

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
        description=(
            "Name of the secret with the address: `postgresql://user:password@host/db` or `sqlite:///path/in/files.db`."
        )
    )
    statement: str = Field(
        description=(
            "One statement; values come in as `:name` only. Templates are not rendered in it, so nothing can be"
            " injected."
        )
    )
    params: Annotated[dict[str, Value], TEMPLATED] = Field(default_factory=dict, description="Values of the `:name`s.")
    batch: Annotated[list[dict[str, Value]] | None, TEMPLATED] = Field(
        default=None, description="Execute the statement for each of these sets of values, all in one transaction."
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
        FailureKind("sql_error", "The statement is wrong, or a value it names is missing or of a wrong type."),
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

    def defects(self, config: SqlQueryConfig) -> Iterator[ConfigDefect]:
        if not config.statement.strip():
            yield ConfigDefect("bad_value", "/statement", "the statement is empty")
        if is_template(config.statement):
            hint = "write `:name` in the statement and the template in `params`"
            yield ConfigDefect("bad_value", "/statement", "templates are not rendered in a statement", hint=hint)
        if config.batch is not None and config.params:
            yield ConfigDefect("bad_value", "/batch", "`params` and `batch` exclude each other")

    def execute(self, call: NodeCall[SqlQueryConfig]) -> Mapping[str, Any]:
        config = call.config
        statement = SqlStatement(config.statement, config.params, config.batch, config.max_rows)
        timeout = config.timeout if call.timeout is None else min(config.timeout, call.timeout)
        answer = call.runtime.sql(call.runtime.secret(config.connection), statement, timeout=timeout)
        return {"rows": answer.rows, "row_count": answer.row_count}

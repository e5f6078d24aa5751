"""The tables of the `headrace` schema. Alembic migrations create them; a test demands that both agree.

JSON that users gave us is kept as text, not jsonb: jsonb rejects `\\u0000` and rewrites numbers and key order.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.engine import Dialect

from platform_core.facts.run_status import RunStatus
from platform_core.facts.trigger_kind import TriggerKind

SCHEMA = "headrace"

metadata = sa.MetaData(
    schema=SCHEMA,
    naming_convention={
        "pk": "%(table_name)s_pk",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "fk": "%(table_name)s_%(column_0_N_name)s_fk",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    },
)


_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


def json_text(value: Any) -> str | None:
    """JSON as it is stored, None for None. Raises ValueError for NaN and infinities."""
    return None if value is None else _encode(value)


class JsonText(sa.types.TypeDecorator[Any]):
    """JSON in a text column, byte for byte what was written; NaN and infinities are refused."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return json_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


class OneOf(sa.types.TypeDecorator[StrEnum]):
    """A word of an enumeration in a text column; it may be compared with any text."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:
        return None if value is None else self.words(value)


def _id() -> sa.Column[Any]:
    return sa.Column("id", pg.UUID(as_uuid=False), primary_key=True)


def _time(name: str, *, nullable: bool = False, now: bool = False) -> sa.Column[Any]:
    default = sa.func.clock_timestamp() if now else None
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, server_default=default)


users = sa.Table(
    "users",
    metadata,
    _id(),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("password_hash", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    _time("created_at", now=True),
    _time("disabled_at", nullable=True),
    sa.Column("max_concurrent_runs", sa.Integer, nullable=True),
    _time("tokens_valid_from", nullable=True),
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    _id(),
    sa.Column("user_id", sa.ForeignKey("headrace.users.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("key_hash", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("scopes", pg.ARRAY(sa.Text), nullable=False),
    _time("created_at", now=True),
    _time("expires_at", nullable=True),
)

graphs = sa.Table(
    "graphs",
    metadata,
    _id(),
    sa.Column("owner_id", sa.ForeignKey("headrace.users.id"), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("current_version", sa.Integer, nullable=False),
    _time("created_at", now=True),
    _time("updated_at", now=True),
    _time("deleted_at", nullable=True),
    sa.Column("trial_of", sa.ForeignKey("headrace.graphs.id"), nullable=True),
    sa.Index("graphs_trial_of_key", "trial_of", unique=True, postgresql_where=sa.text("trial_of IS NOT NULL")),
    sa.Index(
        "graphs_owner_id_name_key",
        "owner_id",
        "name",
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    ),
)

graph_versions = sa.Table(
    "graph_versions",
    metadata,
    sa.Column("graph_id", sa.ForeignKey("headrace.graphs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("document", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("created_by", pg.UUID(as_uuid=False), nullable=False),
    _time("created_at", now=True),
    sa.Column("annotations", sa.Text, nullable=True),
    sa.Column("annotations_sha256", sa.Text, nullable=True),
    sa.UniqueConstraint("graph_id", "sha256"),
)

triggers = sa.Table(
    "triggers",
    metadata,
    _id(),
    sa.Column("graph_id", sa.ForeignKey("headrace.graphs.id", ondelete="CASCADE"), nullable=False),
    sa.Column("trigger_id", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("hook_id", sa.Text, nullable=True, unique=True),
    sa.Column("previous_hook_id", sa.Text, nullable=True, unique=True),
    _time("previous_hook_until", nullable=True),
    sa.Column("enabled", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("config", JsonText, nullable=False),
    _time("created_at", now=True),
    _time("updated_at", now=True),
    _time("removed_at", nullable=True),
    sa.UniqueConstraint("graph_id", "trigger_id"),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    _id(),
    sa.Column("trigger", sa.ForeignKey("headrace.triggers.id", ondelete="CASCADE"), nullable=False),
    sa.Column("delivery_key", sa.Text, nullable=False),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False, server_default=""),
    sa.Column("query", JsonText, nullable=False, server_default="{}"),
    sa.Column("headers", JsonText, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("body_size", sa.Integer, nullable=False, server_default="0"),
    sa.Column("client", sa.Text, nullable=True),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("issues", JsonText, nullable=True),
    sa.Column("run_id", sa.Text, nullable=True, index=True),
    sa.Column("replay_of", pg.UUID(as_uuid=False), nullable=True),
    _time("received_at", now=True),
    sa.UniqueConstraint("trigger", "delivery_key"),
    sa.Index("deliveries_trigger_received_at_idx", "trigger", "received_at", "id"),
)

hook_rates = sa.Table(
    "hook_rates",
    metadata,
    sa.Column("trigger", sa.ForeignKey("headrace.triggers.id", ondelete="CASCADE"), primary_key=True),
    _time("free_at"),
)

login_rates = sa.Table(
    "login_rates",
    metadata,
    sa.Column("subject", sa.Text, primary_key=True),
    _time("free_at"),
)

secrets = sa.Table(
    "secrets",
    metadata,
    sa.Column("owner_id", sa.ForeignKey("headrace.users.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("ciphertext", sa.LargeBinary, nullable=False),
    _time("created_at", now=True),
    _time("updated_at", now=True),
)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("graph_id", sa.ForeignKey("headrace.graphs.id"), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("owner_id", sa.ForeignKey("headrace.users.id"), nullable=False),
    sa.Column("status", OneOf(RunStatus), nullable=False),
    sa.Column("trigger_kind", OneOf(TriggerKind), nullable=False),
    sa.Column("trigger_id", sa.Text, nullable=True),
    sa.Column("trigger_data", JsonText, nullable=True),
    sa.Column("params", JsonText, nullable=False),
    sa.Column("tags", JsonText, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False, server_default="0"),
    sa.Column("idempotency_key", sa.Text, nullable=True),
    sa.Column("request_sha256", sa.Text, nullable=True),
    _time("created_at", now=True),
    _time("submitted_at", nullable=True),
    _time("started_at", nullable=True),
    _time("ended_at", nullable=True),
    _time("cancel_requested_at", nullable=True),
    sa.Column("error", JsonText, nullable=True),
    sa.Column("outputs", JsonText, nullable=True),
    sa.Column("last_seq", sa.Integer, nullable=False, server_default="0"),
    sa.Column("last_batch", sa.Text, nullable=True),
    sa.Column("parent_run_id", sa.Text, nullable=True),
    sa.Column("retry_from", sa.Text, nullable=True),
    # Raised by each worker that takes the run over: what an earlier one still writes is refused.
    sa.Column("generation", sa.Integer, nullable=False, server_default="0"),
    sa.Column("losses", sa.Integer, nullable=False, server_default="0"),
    sa.Column("wakes", sa.Integer, nullable=False, server_default="0"),
    # Of a run that waits, and of no other.
    _time("wake_at", nullable=True),
    sa.ForeignKeyConstraint(
        ["graph_id", "version"], ["headrace.graph_versions.graph_id", "headrace.graph_versions.version"]
    ),
    sa.Index(
        "runs_graph_id_idempotency_key_key",
        "graph_id",
        "idempotency_key",
        unique=True,
        postgresql_where=sa.text("idempotency_key IS NOT NULL"),
    ),
    sa.Index(
        "runs_open_of_schedule_idx",
        "graph_id",
        "trigger_id",
        postgresql_where=sa.text(f"ended_at IS NULL AND trigger_kind = '{TriggerKind.SCHEDULE}'"),
    ),
    sa.Index(
        "runs_unended_idx",
        *("owner_id", "graph_id", "version", "priority", "created_at", "run_id"),
        postgresql_where=sa.text("ended_at IS NULL"),
    ),
    sa.Index(
        "runs_queued_idx",
        *("owner_id", "graph_id", "version", "priority", "created_at", "run_id"),
        postgresql_where=sa.text(
            "submitted_at IS NULL AND ended_at IS NULL AND wake_at IS NULL AND cancel_requested_at IS NULL"
        ),
    ),
    sa.Index(
        "runs_executed_idx",
        *("owner_id", "graph_id"),
        postgresql_where=sa.text("submitted_at IS NOT NULL AND ended_at IS NULL AND wake_at IS NULL"),
    ),
    sa.Index(
        "runs_to_cancel_idx",
        "run_id",
        postgresql_where=sa.text("ended_at IS NULL AND cancel_requested_at IS NOT NULL"),
    ),
    sa.Index("runs_wake_at_idx", "wake_at", postgresql_where=sa.text("wake_at IS NOT NULL")),
    sa.Index("runs_waiting_of_graph_idx", "graph_id", postgresql_where=sa.text("wake_at IS NOT NULL")),
    sa.Index("runs_owner_id_created_at_idx", "owner_id", "created_at", "run_id"),
    sa.Index("runs_graph_id_created_at_idx", "graph_id", "created_at", "run_id"),
    sa.Index("runs_created_at_idx", "created_at", "run_id"),
    sa.Index("runs_parent_run_id_idx", "parent_run_id", postgresql_where=sa.text("parent_run_id IS NOT NULL")),
    sa.Index("runs_tagged_idx", *("owner_id", "created_at", "run_id"), postgresql_where=sa.text("tags <> '{}'::text")),
)

run_events = sa.Table(
    "run_events",
    metadata,
    sa.Column("run_id", sa.ForeignKey("headrace.runs.run_id", ondelete="CASCADE"), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    _time("ts"),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("node", sa.Text, nullable=True),
    sa.Column("item", sa.Integer, nullable=True),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("data", JsonText, nullable=False),
    # Of the journal: what going on needs and followers do not see.
    sa.Column("note", JsonText, nullable=True),
)

run_values = sa.Table(
    "run_values",
    metadata,
    sa.Column("run_id", sa.ForeignKey("headrace.runs.run_id", ondelete="CASCADE"), primary_key=True),
    sa.Column("step", sa.Text, primary_key=True),
    sa.Column("port", sa.Text, primary_key=True),
    sa.Column("value", JsonText, nullable=True),
    sa.Column("location", sa.Text, nullable=True),
)

waits = sa.Table(
    "waits",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("run_id", sa.ForeignKey("headrace.runs.run_id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("node", sa.Text, nullable=False),
    sa.Column("item", sa.Integer, nullable=True),
    _time("until"),
    _time("woken_at", nullable=True),
    sa.Column("kind", sa.Text, nullable=False, server_default="time"),
    # Of what is waited for besides a time; the step is the journal's key, which tells attempts and turns.
    sa.Column("step", sa.Text, nullable=True),
    sa.Column("asked", JsonText, nullable=True),
    sa.Column("answer", JsonText, nullable=True),
    sa.Column("answered_by", sa.Text, nullable=True),
    sa.Column("token_hash", sa.LargeBinary, nullable=True),
    sa.Column("approves", sa.Boolean, nullable=True),
    _time("answered_at", nullable=True),
    _time("closed_at", nullable=True),
    sa.Index("waits_run_id_step_key", "run_id", "step", unique=True),
    sa.Index("waits_token_hash_key", "token_hash", unique=True),
    sa.Index("waits_until_idx", "until", postgresql_where=sa.text("woken_at IS NULL")),
)

node_results = sa.Table(
    "node_results",
    metadata,
    sa.Column("owner_id", sa.ForeignKey("headrace.users.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("outputs", JsonText, nullable=False),
    sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False, index=True),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("session_hash", sa.LargeBinary, primary_key=True),
    sa.Column("user_id", sa.ForeignKey("headrace.users.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("idle_seconds", sa.Integer, nullable=False),
    _time("created_at"),
    _time("seen_at"),
    _time("expires_at"),
)

signing_keys = sa.Table(
    "signing_keys",
    metadata,
    sa.Column("kid", sa.Text, primary_key=True),
    sa.Column("public_key", sa.LargeBinary, nullable=False),
    sa.Column("private_key", sa.LargeBinary, nullable=False),
    _time("created_at"),
    _time("signs_from"),
)

tickets = sa.Table(
    "tickets",
    metadata,
    sa.Column("ticket_hash", sa.LargeBinary, primary_key=True),
    sa.Column("user_id", sa.ForeignKey("headrace.users.id", ondelete="CASCADE"), nullable=False),
    sa.Column("run_id", sa.Text, nullable=True),
    _time("expires_at"),
)

timers = sa.Table(
    "timers",
    metadata,
    sa.Column("trigger", sa.ForeignKey("headrace.triggers.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("timing", JsonText, nullable=False),
    sa.Column("is_plain_cron", sa.Boolean, nullable=False),
    _time("decided_until"),
    _time("look_at", nullable=True),
    sa.Index("timers_look_at_idx", "look_at", postgresql_where=sa.text("look_at IS NOT NULL")),
)

backfills = sa.Table(
    "backfills",
    metadata,
    _id(),
    sa.Column("trigger", sa.ForeignKey("headrace.triggers.id", ondelete="CASCADE"), nullable=False, index=True),
    _time("period_from"),
    _time("period_to"),
    sa.Column("max_parallel", sa.Integer, nullable=False),
    sa.Column("created_by", pg.UUID(as_uuid=False), nullable=False),
    _time("created_at", now=True),
)

ticks = sa.Table(
    "ticks",
    metadata,
    sa.Column("trigger", sa.ForeignKey("headrace.triggers.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("scheduled_at", sa.DateTime(timezone=True), primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=True),
    sa.Column("issues", JsonText, nullable=True),
    sa.Column("run_id", sa.Text, nullable=True),
    sa.Column("backfill", sa.ForeignKey("headrace.backfills.id", ondelete="SET NULL"), nullable=True),
    _time("missed_until", nullable=True),
    sa.Column("missed_count", sa.Integer, nullable=True),
    _time("decided_at", now=True),
    _time("shown_at", nullable=True),
    sa.Index("ticks_waiting_idx", "trigger", "scheduled_at", postgresql_where=sa.text("status = 'waiting'")),
    sa.Index(
        "ticks_not_shown_idx",
        "decided_at",
        postgresql_where=sa.text("shown_at IS NULL AND status <> 'waiting'"),
    ),
    sa.Index("ticks_run_id_idx", "run_id", postgresql_where=sa.text("run_id IS NOT NULL")),
    sa.Index("ticks_backfill_idx", "backfill", postgresql_where=sa.text("backfill IS NOT NULL")),
)

switches = sa.Table(
    "switches",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("is_on", sa.Boolean, nullable=False),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    _time("at", now=True),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("actor_kind", sa.Text, nullable=False),
    sa.Column("actor_id", sa.Text, nullable=True),
    sa.Column("actor_name", sa.Text, nullable=True),
    sa.Column("credential", sa.Text, nullable=True),
    sa.Column("address", sa.Text, nullable=True),
    sa.Column("request_id", sa.Text, nullable=True),
    sa.Column("target_kind", sa.Text, nullable=False),
    sa.Column("target_id", sa.Text, nullable=True),
    sa.Column("target_name", sa.Text, nullable=True),
    # No foreign keys: what is recorded of a user or an owner stays when they go.
    sa.Column("owner_id", pg.UUID(as_uuid=False), nullable=True),
    sa.Column("before", JsonText, nullable=True),
    sa.Column("after", JsonText, nullable=True),
    # Given when the row is sealed: until then nothing else of it can change either, which a trigger sees to.
    sa.Column("place", sa.BigInteger, nullable=True),
    sa.Column("hash", sa.LargeBinary, nullable=True),
    sa.Index("audit_at_id_idx", "at", "id"),
    sa.Index("audit_owner_id_at_id_idx", "owner_id", "at", "id"),
    sa.Index("audit_actor_id_at_id_idx", "actor_id", "at", "id"),
    sa.Index("audit_place_key", "place", unique=True, postgresql_where=sa.text("place IS NOT NULL")),
    sa.Index("audit_unsealed_idx", "id", postgresql_where=sa.text("hash IS NULL")),
    sa.Index(
        "audit_secret_read_key",
        "actor_id",
        "target_name",
        unique=True,
        postgresql_where=sa.text("action = 'secret.read'"),
    ),
)

audit_anchors = sa.Table(
    "audit_anchors",
    metadata,
    sa.Column("place", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    _time("at", now=True),
)

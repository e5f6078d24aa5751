"""Users, graphs, triggers, runs and their events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that waits for a lock makes every later query wait behind it: give up instead.
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.create_table(
        "users",
        sa.Column("id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("users_pk")),
        sa.UniqueConstraint("name", name=op.f("users_name_key")),
        schema="headrace",
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("user_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["headrace.users.id"], name=op.f("api_keys_user_id_fk"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("api_keys_pk")),
        sa.UniqueConstraint("key_hash", name=op.f("api_keys_key_hash_key")),
        schema="headrace",
    )
    op.create_index(op.f("api_keys_user_id_idx"), "api_keys", ["user_id"], unique=False, schema="headrace")
    op.create_table(
        "graphs",
        sa.Column("id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("owner_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("current_version", sa.Integer(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["owner_id"], ["headrace.users.id"], name=op.f("graphs_owner_id_fk")),
        sa.PrimaryKeyConstraint("id", name=op.f("graphs_pk")),
        schema="headrace",
    )
    op.create_index(
        "graphs_owner_id_name_key",
        "graphs",
        ["owner_id", "name"],
        unique=True,
        schema="headrace",
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "secrets",
        sa.Column("owner_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["headrace.users.id"], name=op.f("secrets_owner_id_fk"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("owner_id", "name", name=op.f("secrets_pk")),
        schema="headrace",
    )
    op.create_table(
        "tickets",
        sa.Column("ticket_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["headrace.users.id"], name=op.f("tickets_user_id_fk"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("ticket_hash", name=op.f("tickets_pk")),
        schema="headrace",
    )
    op.create_table(
        "graph_versions",
        sa.Column("graph_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("created_by", sa.UUID(as_uuid=False), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["graph_id"], ["headrace.graphs.id"], name=op.f("graph_versions_graph_id_fk"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("graph_id", "version", name=op.f("graph_versions_pk")),
        sa.UniqueConstraint("graph_id", "sha256", name=op.f("graph_versions_graph_id_sha256_key")),
        schema="headrace",
    )
    op.create_table(
        "triggers",
        sa.Column("id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("graph_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("trigger_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("hook_id", sa.Text(), nullable=True),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("config", sa.Text(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["graph_id"], ["headrace.graphs.id"], name=op.f("triggers_graph_id_fk"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("triggers_pk")),
        sa.UniqueConstraint("graph_id", "trigger_id", name=op.f("triggers_graph_id_trigger_id_key")),
        sa.UniqueConstraint("hook_id", name=op.f("triggers_hook_id_key")),
        schema="headrace",
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("trigger", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("delivery_key", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("issues", sa.Text(), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column(
            "received_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["trigger"], ["headrace.triggers.id"], name=op.f("deliveries_trigger_fk"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("deliveries_pk")),
        sa.UniqueConstraint("trigger", "delivery_key", name=op.f("deliveries_trigger_delivery_key_key")),
        schema="headrace",
    )
    op.create_table(
        "runs",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("graph_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("trigger_kind", sa.Text(), nullable=False),
        sa.Column("trigger_id", sa.Text(), nullable=True),
        sa.Column("trigger_data", sa.Text(), nullable=True),
        sa.Column("params", sa.Text(), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), server_default="0", nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("request_sha256", sa.Text(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("outputs", sa.Text(), nullable=True),
        sa.Column("last_seq", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_batch", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["graph_id", "version"],
            ["headrace.graph_versions.graph_id", "headrace.graph_versions.version"],
            name=op.f("runs_graph_id_version_fk"),
        ),
        sa.ForeignKeyConstraint(["graph_id"], ["headrace.graphs.id"], name=op.f("runs_graph_id_fk")),
        sa.ForeignKeyConstraint(["owner_id"], ["headrace.users.id"], name=op.f("runs_owner_id_fk")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("runs_pk")),
        schema="headrace",
    )
    op.create_index(
        "runs_graph_id_created_at_idx", "runs", ["graph_id", "created_at", "run_id"], unique=False, schema="headrace"
    )
    op.create_index(
        "runs_graph_id_idempotency_key_key",
        "runs",
        ["graph_id", "idempotency_key"],
        unique=True,
        schema="headrace",
        postgresql_where=sa.text("idempotency_key IS NOT NULL"),
    )
    op.create_index(
        "runs_owner_id_created_at_idx", "runs", ["owner_id", "created_at", "run_id"], unique=False, schema="headrace"
    )
    op.create_index(
        "runs_unsubmitted_idx",
        "runs",
        ["created_at"],
        unique=False,
        schema="headrace",
        postgresql_where=sa.text("submitted_at IS NULL"),
    )
    op.create_table(
        "run_events",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("ts", sa.DateTime(timezone=True), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=True),
        sa.Column("item", sa.Integer(), nullable=True),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["headrace.runs.run_id"], name=op.f("run_events_run_id_fk"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "seq", name=op.f("run_events_pk")),
        schema="headrace",
    )
    op.create_table(
        "run_values",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("port", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["headrace.runs.run_id"], name=op.f("run_values_run_id_fk"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "step", "port", name=op.f("run_values_pk")),
        schema="headrace",
    )

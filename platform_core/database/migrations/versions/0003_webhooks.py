"""Deliveries that can be searched and replayed, addresses that rotate, and calls counted across processes."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.add_column("triggers", sa.Column("previous_hook_id", sa.Text(), nullable=True), schema="headrace")
    until = sa.Column("previous_hook_until", sa.DateTime(timezone=True), nullable=True)
    op.add_column("triggers", until, schema="headrace")
    op.create_unique_constraint(
        op.f("triggers_previous_hook_id_key"), "triggers", ["previous_hook_id"], schema="headrace"
    )
    columns: tuple[sa.Column[Any], ...] = (
        sa.Column("path", sa.Text(), server_default="", nullable=False),
        sa.Column("query", sa.Text(), server_default="{}", nullable=False),
        sa.Column("body_size", sa.Integer(), server_default="0", nullable=False),
        sa.Column("client", sa.Text(), nullable=True),
        sa.Column("replay_of", sa.UUID(as_uuid=False), nullable=True),
    )
    for column in columns:
        op.add_column("deliveries", column, schema="headrace")
    op.execute("UPDATE headrace.deliveries SET body_size = length(body)")
    op.create_index(op.f("deliveries_run_id_idx"), "deliveries", ["run_id"], schema="headrace")
    op.create_index(
        "deliveries_trigger_received_at_idx", "deliveries", ["trigger", "received_at", "id"], schema="headrace"
    )
    op.create_table(
        "hook_rates",
        sa.Column("trigger", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("free_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["trigger"], ["headrace.triggers.id"], name=op.f("hook_rates_trigger_fk"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("trigger", name=op.f("hook_rates_pk")),
        schema="headrace",
    )

"""When a run that waits without a worker goes on; such runs are out of the way of those that have or want one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.add_column("runs", sa.Column("wake_at", sa.DateTime(timezone=True), nullable=True), schema="headrace")
    op.create_index(
        "runs_wake_at_idx", "runs", ["wake_at"], schema="headrace", postgresql_where=sa.text("wake_at IS NOT NULL")
    )
    op.create_index(
        "runs_waiting_of_graph_idx",
        "runs",
        ["graph_id"],
        schema="headrace",
        postgresql_where=sa.text("wake_at IS NOT NULL"),
    )
    op.create_index(
        "runs_active_idx",
        "runs",
        ["owner_id", "graph_id", "version", "priority", "created_at", "run_id"],
        schema="headrace",
        postgresql_where=sa.text("ended_at IS NULL AND wake_at IS NULL"),
    )


def downgrade() -> None:
    for name in ("runs_active_idx", "runs_waiting_of_graph_idx", "runs_wake_at_idx"):
        op.drop_index(name, "runs", schema="headrace")
    op.drop_column("runs", "wake_at", schema="headrace")

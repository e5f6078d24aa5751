"""A look of the queue reads the heads of its lines and no others that wait; how often a run was woken."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_LINE = ["owner_id", "graph_id", "version", "priority", "created_at", "run_id"]


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    _index(
        "runs_queued_idx",
        _LINE,
        "submitted_at IS NULL AND ended_at IS NULL AND wake_at IS NULL AND cancel_requested_at IS NULL",
    )
    _index(
        "runs_executed_idx",
        ["owner_id", "graph_id"],
        "submitted_at IS NOT NULL AND ended_at IS NULL AND wake_at IS NULL",
    )
    _index("runs_to_cancel_idx", ["run_id"], "ended_at IS NULL AND cancel_requested_at IS NOT NULL")
    op.drop_index("runs_active_idx", "runs", schema="headrace")
    op.add_column("runs", sa.Column("wakes", sa.Integer, nullable=False, server_default="0"), schema="headrace")


def downgrade() -> None:
    op.drop_column("runs", "wakes", schema="headrace")
    _index("runs_active_idx", _LINE, "ended_at IS NULL AND wake_at IS NULL")
    for name in ("runs_to_cancel_idx", "runs_executed_idx", "runs_queued_idx"):
        op.drop_index(name, "runs", schema="headrace")


def _index(name: str, columns: list[str], where: str) -> None:
    op.create_index(name, "runs", columns, schema="headrace", postgresql_where=sa.text(where))

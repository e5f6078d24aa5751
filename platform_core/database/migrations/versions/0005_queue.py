"""A user's own limit of concurrent runs, and an index of the runs that have not ended: the queue."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.add_column("users", sa.Column("max_concurrent_runs", sa.Integer(), nullable=True), schema="headrace")
    op.create_index(
        "runs_unended_idx",
        "runs",
        ["owner_id", "graph_id", "version", "priority", "created_at", "run_id"],
        schema="headrace",
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    # Until now the daemon set it in a statement of its own, after the run's status.
    op.execute("UPDATE headrace.runs SET submitted_at = created_at WHERE submitted_at IS NULL AND status <> 'QUEUED'")
    op.drop_index("runs_unsubmitted_idx", "runs", schema="headrace")

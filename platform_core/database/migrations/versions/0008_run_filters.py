"""Indexes of what runs are listed by: all runs by time, retries by their parent, and the runs that have tags."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_INDEXES = (
    ("runs_created_at_idx", ["created_at", "run_id"], None),
    ("runs_parent_run_id_idx", ["parent_run_id"], "parent_run_id IS NOT NULL"),
    ("runs_tagged_idx", ["owner_id", "created_at", "run_id"], "tags <> '{}'::text"),
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    for name, columns, condition in _INDEXES:
        where = None if condition is None else sa.text(condition)
        op.create_index(name, "runs", columns, schema="headrace", postgresql_where=where)


def downgrade() -> None:
    for name, _, _ in reversed(_INDEXES):
        op.drop_index(name, "runs", schema="headrace")

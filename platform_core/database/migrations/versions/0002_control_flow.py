"""Retries of runs, results that later runs may take, and values that lie outside of the database."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.add_column("runs", sa.Column("parent_run_id", sa.Text(), nullable=True), schema="headrace")
    op.add_column("runs", sa.Column("retry_from", sa.Text(), nullable=True), schema="headrace")
    op.add_column("run_values", sa.Column("location", sa.Text(), nullable=True), schema="headrace")
    op.alter_column("run_values", "value", existing_type=sa.Text(), nullable=True, schema="headrace")
    op.create_table(
        "node_results",
        sa.Column("owner_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("outputs", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["headrace.users.id"], name=op.f("node_results_owner_id_fk"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("owner_id", "key", name=op.f("node_results_pk")),
        schema="headrace",
    )
    op.create_index(op.f("node_results_expires_at_idx"), "node_results", ["expires_at"], schema="headrace")

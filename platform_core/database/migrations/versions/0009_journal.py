"""What lets a run go on in another worker: which worker's turn it is, what events leave out, and what runs wait for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    for name in ("generation", "losses"):
        op.add_column("runs", sa.Column(name, sa.Integer, nullable=False, server_default="0"), schema="headrace")
    op.add_column("run_events", sa.Column("note", sa.Text, nullable=True), schema="headrace")
    op.create_table(
        "waits",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column(
            "run_id", sa.Text, sa.ForeignKey("headrace.runs.run_id", ondelete="CASCADE"), nullable=False, index=True
        ),
        sa.Column("node", sa.Text, nullable=False),
        sa.Column("item", sa.Integer, nullable=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("woken_at", sa.DateTime(timezone=True), nullable=True),
        schema="headrace",
    )
    op.create_index(
        "waits_until_idx", "waits", ["until"], schema="headrace", postgresql_where=sa.text("woken_at IS NULL")
    )


def downgrade() -> None:
    op.drop_table("waits", schema="headrace")
    op.drop_column("run_events", "note", schema="headrace")
    for name in ("losses", "generation"):
        op.drop_column("runs", name, schema="headrace")

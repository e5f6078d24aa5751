"""What runs wait for beside times: calls and people, who may answer, and what was answered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.add_column("waits", sa.Column("kind", sa.Text, nullable=False, server_default="time"), schema="headrace")
    for name in ("step", "asked", "answer", "answered_by"):
        op.add_column("waits", sa.Column(name, sa.Text, nullable=True), schema="headrace")
    op.add_column("waits", sa.Column("token_hash", sa.LargeBinary, nullable=True), schema="headrace")
    op.add_column("waits", sa.Column("approves", sa.Boolean, nullable=True), schema="headrace")
    for name in ("answered_at", "closed_at"):
        op.add_column("waits", sa.Column(name, sa.DateTime(timezone=True), nullable=True), schema="headrace")
    op.create_index("waits_run_id_step_key", "waits", ["run_id", "step"], unique=True, schema="headrace")
    op.create_index("waits_token_hash_key", "waits", ["token_hash"], unique=True, schema="headrace")


def downgrade() -> None:
    op.execute("DELETE FROM headrace.waits WHERE kind <> 'time'")
    for name in ("waits_token_hash_key", "waits_run_id_step_key"):
        op.drop_index(name, "waits", schema="headrace")
    for name in (
        "closed_at",
        "answered_at",
        "approves",
        "token_hash",
        "answered_by",
        "answer",
        "asked",
        "step",
        "kind",
    ):
        op.drop_column("waits", name, schema="headrace")

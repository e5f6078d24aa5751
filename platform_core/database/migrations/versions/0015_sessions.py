"""Sessions of browsers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def _time(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.create_table(
        "sessions",
        sa.Column("session_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("idle_seconds", sa.Integer(), nullable=False),
        _time("created_at"),
        _time("seen_at"),
        _time("expires_at"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["headrace.users.id"], name=op.f("sessions_user_id_fk"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("session_hash", name=op.f("sessions_pk")),
        schema="headrace",
    )
    op.create_index(op.f("sessions_user_id_idx"), "sessions", ["user_id"], schema="headrace")


def downgrade() -> None:
    op.drop_table("sessions", schema="headrace")

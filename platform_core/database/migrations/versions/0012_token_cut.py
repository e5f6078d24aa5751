"""The time before which a user's tokens were issued that no longer hold, as after a change of the password."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.add_column("users", sa.Column("tokens_valid_from", sa.DateTime(timezone=True), nullable=True), schema="headrace")


def downgrade() -> None:
    op.drop_column("users", "tokens_valid_from", schema="headrace")

"""What is stored beside a version and is no part of what runs execute: the document's `tests` and `layout`."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.add_column("graph_versions", sa.Column("annotations", sa.Text(), nullable=True), schema="headrace")
    op.add_column("graph_versions", sa.Column("annotations_sha256", sa.Text(), nullable=True), schema="headrace")


def downgrade() -> None:
    op.drop_column("graph_versions", "annotations_sha256", schema="headrace")
    op.drop_column("graph_versions", "annotations", schema="headrace")

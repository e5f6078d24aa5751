"""What is stored beside a version (the document's `tests` and `layout`), and the graphs that try nodes of another."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.add_column("graph_versions", sa.Column("annotations", sa.Text(), nullable=True), schema="headrace")
    op.add_column("graph_versions", sa.Column("annotations_sha256", sa.Text(), nullable=True), schema="headrace")
    op.add_column("graphs", sa.Column("trial_of", sa.UUID(as_uuid=False), nullable=True), schema="headrace")
    op.create_foreign_key(
        "graphs_trial_of_fk",
        *("graphs", "graphs", ["trial_of"], ["id"]),
        source_schema="headrace",
        referent_schema="headrace",
    )
    op.create_index(
        "graphs_trial_of_key",
        "graphs",
        ["trial_of"],
        unique=True,
        schema="headrace",
        postgresql_where=sa.text("trial_of IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("graphs_trial_of_key", "graphs", schema="headrace")
    op.drop_column("graphs", "trial_of", schema="headrace")
    op.drop_column("graph_versions", "annotations_sha256", schema="headrace")
    op.drop_column("graph_versions", "annotations", schema="headrace")

"""The audit log, which the database itself lets nobody change, and the anchors of what retention removed of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_GUARD = """
CREATE FUNCTION headrace.guard_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.hash IS NULL AND NEW.hash IS NOT NULL
            AND to_jsonb(NEW) - ARRAY['place', 'hash'] = to_jsonb(OLD) - ARRAY['place', 'hash'] THEN
            RETURN NEW;
        END IF;
    ELSIF TG_OP = 'DELETE' THEN
        IF OLD.place <= (SELECT max(place) FROM headrace.audit_anchors) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$
"""


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("clock_timestamp()")),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("actor_kind", sa.Text, nullable=False),
        sa.Column("actor_id", sa.Text, nullable=True),
        sa.Column("actor_name", sa.Text, nullable=True),
        sa.Column("credential", sa.Text, nullable=True),
        sa.Column("address", sa.Text, nullable=True),
        sa.Column("request_id", sa.Text, nullable=True),
        sa.Column("target_kind", sa.Text, nullable=False),
        sa.Column("target_id", sa.Text, nullable=True),
        sa.Column("target_name", sa.Text, nullable=True),
        sa.Column("owner_id", pg.UUID, nullable=True),
        sa.Column("before", sa.Text, nullable=True),
        sa.Column("after", sa.Text, nullable=True),
        sa.Column("place", sa.BigInteger, nullable=True),
        sa.Column("hash", sa.LargeBinary, nullable=True),
        sa.PrimaryKeyConstraint("id", name="audit_pk"),
        schema="headrace",
    )
    op.create_table(
        "audit_anchors",
        sa.Column("place", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("clock_timestamp()")),
        sa.PrimaryKeyConstraint("place", name="audit_anchors_pk"),
        schema="headrace",
    )
    for columns in (("at", "id"), ("owner_id", "at", "id"), ("actor_id", "at", "id")):
        op.create_index(f"audit_{'_'.join(columns)}_idx", "audit", list(columns), schema="headrace")
    op.create_index(
        "audit_place_key",
        "audit",
        ["place"],
        unique=True,
        schema="headrace",
        postgresql_where=sa.text("place IS NOT NULL"),
    )
    op.create_index("audit_unsealed_idx", "audit", ["id"], schema="headrace", postgresql_where=sa.text("hash IS NULL"))
    op.create_index(
        "audit_secret_read_key",
        "audit",
        ["actor_id", "target_name"],
        unique=True,
        schema="headrace",
        postgresql_where=sa.text("action = 'secret.read'"),
    )
    op.execute(_GUARD)
    op.execute(
        "CREATE TRIGGER guard_rows BEFORE UPDATE OR DELETE ON headrace.audit"
        " FOR EACH ROW EXECUTE FUNCTION headrace.guard_audit()"
    )
    op.execute(
        "CREATE TRIGGER guard_table BEFORE TRUNCATE ON headrace.audit"
        " FOR EACH STATEMENT EXECUTE FUNCTION headrace.guard_audit()"
    )


def downgrade() -> None:
    op.drop_table("audit", schema="headrace")
    op.drop_table("audit_anchors", schema="headrace")
    op.execute("DROP FUNCTION headrace.guard_audit()")

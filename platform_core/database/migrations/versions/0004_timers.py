"""Timers, their ticks and backfills, and what is switched off in Dagster's UI."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _time(name: str, *, nullable: bool = False, now: bool = False) -> sa.Column[object]:
    default = sa.text("clock_timestamp()") if now else None
    return sa.Column(name, sa.DateTime(timezone=True), server_default=default, nullable=nullable)


def _trigger(table: str) -> tuple[sa.Column[object], sa.ForeignKeyConstraint]:
    constraint = sa.ForeignKeyConstraint(
        ["trigger"], ["headrace.triggers.id"], name=op.f(f"{table}_trigger_fk"), ondelete="CASCADE"
    )
    return sa.Column("trigger", sa.UUID(as_uuid=False), nullable=False), constraint


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.create_table(
        "timers",
        *_trigger("timers"),
        sa.Column("timing", sa.Text(), nullable=False),
        sa.Column("is_plain_cron", sa.Boolean(), nullable=False),
        _time("decided_until"),
        _time("look_at", nullable=True),
        sa.PrimaryKeyConstraint("trigger", name=op.f("timers_pk")),
        schema="headrace",
    )
    look_at = sa.text("look_at IS NOT NULL")
    op.create_index("timers_look_at_idx", "timers", ["look_at"], schema="headrace", postgresql_where=look_at)
    op.create_table(
        "backfills",
        sa.Column("id", sa.UUID(as_uuid=False), nullable=False),
        *_trigger("backfills"),
        _time("period_from"),
        _time("period_to"),
        sa.Column("max_parallel", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.UUID(as_uuid=False), nullable=False),
        _time("created_at", now=True),
        sa.PrimaryKeyConstraint("id", name=op.f("backfills_pk")),
        schema="headrace",
    )
    op.create_index(op.f("backfills_trigger_idx"), "backfills", ["trigger"], schema="headrace")
    _create_ticks()
    op.create_index(
        "runs_open_of_schedule_idx",
        "runs",
        ["graph_id", "trigger_id"],
        schema="headrace",
        postgresql_where=sa.text("ended_at IS NULL AND trigger_kind = 'schedule'"),
    )
    op.create_table(
        "switches",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("switches_pk")),
        schema="headrace",
    )


def _create_ticks() -> None:
    op.create_table(
        "ticks",
        *_trigger("ticks"),
        _time("scheduled_at"),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("issues", sa.Text(), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("backfill", sa.UUID(as_uuid=False), nullable=True),
        _time("missed_until", nullable=True),
        sa.Column("missed_count", sa.Integer(), nullable=True),
        _time("decided_at", now=True),
        _time("shown_at", nullable=True),
        sa.ForeignKeyConstraint(
            ["backfill"], ["headrace.backfills.id"], name=op.f("ticks_backfill_fk"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("trigger", "scheduled_at", name=op.f("ticks_pk")),
        schema="headrace",
    )
    for name, columns, condition in (
        ("ticks_waiting_idx", ["trigger", "scheduled_at"], "status = 'waiting'"),
        ("ticks_not_shown_idx", ["decided_at"], "shown_at IS NULL AND status <> 'waiting'"),
        ("ticks_run_id_idx", ["run_id"], "run_id IS NOT NULL"),
        ("ticks_backfill_idx", ["backfill"], "backfill IS NOT NULL"),
    ):
        op.create_index(name, "ticks", columns, schema="headrace", postgresql_where=sa.text(condition))

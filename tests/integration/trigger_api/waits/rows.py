"""What the journal writes when a node of a run begins to wait for an answer."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from platform_core.database.tables import waits

ANYBODY: dict[str, Any] = {"schema": None, "message": "Ship?", "who": [], "not_by": []}


def waiting(engine: Engine, run_id: str, node: str = "ask", *, hours: int = 1, **columns: Any) -> None:
    """The node asks anybody to approve, for an hour; `columns` say otherwise."""
    until = sa.func.clock_timestamp() + sa.text(f"interval '{hours} hours'")
    row = {"run_id": run_id, "node": node, "step": node, "kind": "approval", "until": until, "asked": ANYBODY}
    with engine.begin() as connection:
        connection.execute(waits.insert().values(row | columns))

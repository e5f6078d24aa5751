"""The run a path names, for those who may know of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from platform_core.database.engine import Connection
from platform_core.errors import RunNotFound
from platform_core.identity.auth import Principal
from platform_core.runs.run_store import Run, get_run

RunIdPath = Annotated[str, Path(max_length=100, pattern=r"^[A-Za-z0-9-]+$")]


def visible_run(connection: Connection, principal: Principal, run_id: str) -> Run:
    """The run, if it exists for this principal. Raises `RunNotFound`."""
    run = get_run(connection, run_id)
    if not principal.may_see(run.owner_id):
        raise RunNotFound(f"There is no run {run_id}.")
    return run

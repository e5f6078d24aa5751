"""Whether a worker that is asked to end leaves its run to another one."""

from __future__ import annotations

import logging

from definitions.shared.patience import read_patiently
from platform_core.database.engine import Engine
from platform_core.runs.supervision_store import could_go_on

_logger = logging.getLogger("headrace.worker")


def goes_on_elsewhere(engine: Engine, run_id: str) -> bool:
    """Whether another worker may go on with the run, from its journal; False if that cannot be known."""
    try:
        return read_patiently(engine, lambda connection: could_go_on(connection, run_id))
    except Exception:
        _logger.exception("It is not known whether run %s may go on.", run_id)
        return False

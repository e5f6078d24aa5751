"""Removes files that were kept for runs that never came to be: their process died, or their accepting was given up."""

from __future__ import annotations

import threading

from platform_core.database.engine import Engine, reading
from platform_core.identity.user_store import user_names
from platform_core.runs.run_store import known_runs
from platform_core.runs.upload_store import are_older, remove_uploads, runs_with_uploads
from platform_core.settings import Settings

AGE = 3600.0
"""Seconds after which a run that its files were kept for is surely accepted, if it ever is."""
_BATCH = 500


def remove_abandoned(settings: Settings, engine: Engine, stop: threading.Event, age: float = AGE) -> int:
    """Remove what is older than `age` seconds and of no run, until `stop` is set; of how many runs it was.

    Raises `Unavailable`.
    """
    removed = 0
    with reading(engine) as connection:
        owners = user_names(connection)
    for owner in owners:
        folders = runs_with_uploads(settings, owner)
        for start in range(0, len(folders), _BATCH):
            batch = folders[start : start + _BATCH]
            with reading(engine) as connection:
                known = known_runs(connection, batch)
            for run_id in (each for each in batch if each not in known):
                if stop.is_set():
                    return removed
                if are_older(settings, owner, run_id, age):
                    remove_uploads(settings, owner, run_id)
                    removed += 1
    return removed

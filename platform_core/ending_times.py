"""How long what is to end may take: every bound in seconds, derived here so that each is longer than what it contains.

A run that is canceled or out of time is ended by its worker. Those that would end it from outside wait longer: first
Dagster's monitor, then what kills the pod, then the Job's own deadline.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from platform_core.settings import Settings

STUCK = 2.0
"""Beyond its time a node may take to end itself, and an exception that is raised in its thread to end it."""
CONTAINER_STOP = 10
"""A container node's own grace period."""
POOL_STOP = 5.0
"""The workers of a pool that is asked to end."""
LIFELINE_STOP = 8.0
"""A service whose supervisor has gone."""
SUPERVISOR_STOP = 10.0
"""A service that its supervisor asks to end."""
_MARGIN = 10
"""Between two bounds: the last events on their way into the database, a monitor's poll, clocks that differ."""


@dataclass(frozen=True)
class EndingTimes:
    """The bounds of a run's end."""

    last: float = 60.0
    """All `finally` nodes of a run that was canceled or took too long."""
    stop: float = 15.0
    """Nodes that are executing, once they are asked to end; after that they are interrupted, then left behind."""

    @classmethod
    def of(cls, settings: Settings) -> EndingTimes:
        return cls(last=settings.finally_seconds)

    @property
    def worker(self) -> float:
        """The worker, from the wish to end its run: nodes stop, `finally` nodes run, and those stop."""
        phase = self.stop + 2 * STUCK
        return phase + self.last + phase

    @property
    def monitor(self) -> int:
        """Dagster's monitor waits as long for a canceled run, and beyond a run's own timeout."""
        return math.ceil(self.worker) + _MARGIN

    @property
    def pod(self) -> int:
        """A run pod's termination grace period."""
        return self.monitor + _MARGIN

    @property
    def job(self) -> int:
        """Beyond a run's timeout and its pod's start the Job's deadline leaves as long."""
        return self.pod + _MARGIN

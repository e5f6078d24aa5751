"""How an execution ends for the worker that did it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graph_engine.journal.records import Error, Status, Wait


@dataclass(frozen=True)
class Ended:
    """The run has ended; `outputs` are there if they could be rendered and the run succeeded."""

    status: Status
    error: Error | None = None
    outputs: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Suspended:
    """The run has nothing to do until `until` (seconds since the epoch) and needs no worker until then."""

    until: float
    waits: Sequence[Wait]


Outcome = Ended | Suspended

"""What a node asks of the world outside of its run, and how that answers: a time, an event, a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

ADDRESS = "address"
"""The output of an asking node that is given when it begins to wait, and not when it has ended."""
EXPIRED = "expired"


class WaitKind(StrEnum):
    """What is waited for."""

    TIME = "time"
    EVENT = "event"
    APPROVAL = "approval"


@dataclass(frozen=True)
class Asking:
    """What is waited for, for how many seconds, and who may answer (nobody named: who may start runs of the owner).

    `schema` is the JSON Schema of the body, or of the form; `who` are `role:x` and `user:y`, `not_by` `starter`.
    """

    kind: WaitKind
    seconds: float
    schema: Mapping[str, Any] | None = None
    message: str | None = None
    who: tuple[str, ...] = ()
    not_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What was answered, `at` in seconds since the epoch; of an approval also by whom, and whether it approves."""

    at: float
    value: Any
    by: str | None = None
    approves: bool = False


def moment(at: float) -> str:
    """The time as outputs have it: ISO 8601 in UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")

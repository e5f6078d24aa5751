"""What following can end with besides the final event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ClientError(Exception):
    """Base of all errors of this package."""


class Refused(ClientError):
    """The server refuses: its status (or close code), its problem's code, and what it says."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(str(problem.get("detail") or problem.get("title") or f"status {status}"))
        self.status = status
        self.code = str(problem.get("code", ""))
        self.problem = problem


class Unreachable(ClientError):
    """Nothing was heard of the server for as long as the client is patient."""


class Silence(ClientError):
    """Nothing came for as long as the caller wanted to wait."""


class StreamBroken(ClientError):
    """An event is missing. The server promises that this cannot be; nothing after it can be trusted."""


class Interrupted(Exception):
    """The connection ended before the final event; it is taken up again. `at_once` when the server asked for that."""

    def __init__(self, why: object, *, at_once: bool = False) -> None:
        super().__init__(str(why))
        self.at_once = at_once

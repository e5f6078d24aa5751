"""Why a run, or a node of it, failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RunError:
    """A stable kind and a message; of a node's failure also the node, its foreach item and how often it was tried."""

    kind: str
    message: str
    node: str | None = None
    item: int | None = None
    attempts: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """The error as runs store it and answers carry it; `node` is always there."""
        said: dict[str, Any] = {"kind": self.kind, "message": self.message}
        if self.attempts is not None:
            said["attempts"] = self.attempts
        said["node"] = self.node
        if self.item is not None:
            said["item"] = self.item
        return said

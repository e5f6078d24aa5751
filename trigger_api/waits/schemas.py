"""Shapes of what is waited for, and of answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from platform_core.runs.wait_store import APPROVAL, OpenWait
from trigger_api.shared.links import Links
from trigger_api.shared.schemas import Answer, RequestBody


class Decision(RequestBody):
    """What a person answers."""

    decision: Literal["approve", "reject"]
    form: dict[str, Any] | None = Field(default=None, description="What the node's `form` asks for; {} without it.")


class Taken(Answer):
    """The answer counts."""

    run_id: str
    node: str


class TakenEvent(Answer):
    """The event counts; who calls an address learns nothing of the run."""

    accepted: Literal[True] = True


class OpenWaitAnswer(Answer):
    """What a run waits for from outside."""

    run_id: str
    graph: str
    owner: str
    node: str
    kind: Literal["approval", "event"] = Field(serialization_alias="for", description="What it waits for.")
    until: datetime
    message: str | None = Field(description="What is asked of people.")
    form: dict[str, Any] | None = Field(description="JSON Schema of the form, or of the event's body.")
    may_answer: bool = Field(description="Whether the caller may approve and reject here.")
    url: str | None = Field(description="Where an approval is answered.")

    @classmethod
    def of(cls, wait: OpenWait, links: Links, *, may_answer: bool) -> OpenWaitAnswer:
        is_approval = wait.kind == APPROVAL
        return cls(
            run_id=wait.run_id,
            graph=wait.graph,
            owner=wait.owner,
            node=wait.node,
            kind="approval" if is_approval else "event",
            until=wait.until,
            message=wait.asked["message"],
            form=wait.asked["schema"],
            may_answer=is_approval and may_answer,
            url=links.approval(wait.run_id, wait.node) if is_approval else None,
        )

"""Shapes of the audit log."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Self

from pydantic import Field

from platform_core.audit.chain import Link, Verdict, facts_of
from platform_core.audit.entry import Action, ActorKind, Entry, TargetKind
from platform_core.facts.credential import Credential
from trigger_api.shared.schemas import Answer


class AuditFormat(StrEnum):
    """A page of JSON, or all rows as lines of JSON or as a table."""

    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"


class ActorAnswer(Answer):
    """Who acted; `id` and `name` are null for somebody who did not prove who they are."""

    kind: ActorKind
    id: str | None
    name: str | None


class TargetAnswer(Answer):
    """What was acted upon; a trigger has the id of its graph and the name `graph/trigger`."""

    kind: TargetKind
    id: str | None
    name: str | None


class AuditAnswer(Answer):
    """A row of the log. `hash` is over the hash of the row before and this row without `hash` and `owner`.

    `place` and `hash` are null for the moment until the row is sealed.
    """

    place: int | None
    id: int
    at: str = Field(description="RFC 3339, in UTC with microseconds.")
    action: Action
    actor: ActorAnswer
    credential: Credential | None
    address: str | None = Field(description="Where the request came from.")
    request_id: str | None
    target: TargetAnswer
    owner_id: str | None
    owner: str | None = Field(description="The owner's name now.")
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    hash: str | None

    @classmethod
    def of(cls, entry: Entry) -> Self:
        return cls.model_validate(row_of(entry))


def row_of(entry: Entry) -> dict[str, Any]:
    """A row as it is answered and exported."""
    return {**facts_of(entry), "owner": entry.owner, "hash": None if entry.hash is None else entry.hash.hex()}


class LinkAnswer(Answer):
    """A place in the chain and the hash of its row; place 0 is the beginning."""

    place: int
    hash: str

    @classmethod
    def of(cls, link: Link) -> Self:
        return cls(place=link.place, hash=link.hash.hex())


class VerdictAnswer(Answer):
    """What a walk along the chain found."""

    intact: bool
    rows: int = Field(description="Rows whose hash was found right.")
    anchor: LinkAnswer = Field(description="What retention left of the rows before the first.")
    head: LinkAnswer = Field(description="The last row that was found right; worth noting down elsewhere.")
    unsealed: int = Field(description="Rows that came meanwhile and have no place yet.")
    broken_at: int | None = Field(description="The first place whose row is missing or was altered.")
    holds_known: bool | None = Field(
        description="Whether the chain holds the link of `place` and `hash`; null without, or if retention removed it."
    )

    @classmethod
    def of(cls, verdict: Verdict) -> Self:
        return cls(
            intact=verdict.broken_at is None and verdict.holds_known is not False,
            rows=verdict.rows,
            anchor=LinkAnswer.of(verdict.anchor),
            head=LinkAnswer.of(verdict.head),
            unsealed=verdict.unsealed,
            broken_at=verdict.broken_at,
            holds_known=verdict.holds_known,
        )

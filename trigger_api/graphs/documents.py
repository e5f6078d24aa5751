"""Graph documents as request bodies: read whole, within the limit, and checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from graph_compiler.language.loading import Syntax
from graph_compiler.language.schedule_trigger import ScheduleTrigger
from platform_core.errors import InvalidGraph, TooLarge
from platform_core.triggers.timer_store import NewTimer
from platform_core.triggers.trigger_store import NewTrigger
from platform_core.web.services import services_of
from trigger_api.live.checker import Checker

_YAML_TYPES = frozenset({"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"})

REQUEST_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": (
            "The graph document as JSON; with `Content-Type: application/yaml` as YAML. "
            "`GET /api/v1/schema` is its JSON Schema."
        ),
        # YAML is not listed: generators of clients cannot write it, and say so.
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}
"""How OpenAPI shows a route that takes a document."""


@dataclass(frozen=True)
class Document:
    """The text of a document; without a content type that says it, the syntax is found out."""

    text: bytes
    syntax: Syntax | None


async def _document(request: Request) -> Document:
    text = await request.body()
    limit = services_of(request).settings.max_document_bytes
    if len(text) > limit:
        raise TooLarge(f"The document has {len(text)} bytes, more than the {limit} allowed.")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in _YAML_TYPES:
        return Document(text, "yaml")
    return Document(text, "json" if kind == "application/json" else None)


DocumentDep = Annotated[Document, Depends(_document)]


@dataclass(frozen=True)
class CheckedDocument:
    """What is saved of a valid document: its canonical form, and the triggers and timers that it declares."""

    name: str
    canonical: str
    sha256: str
    triggers: Sequence[NewTrigger]
    timers: Sequence[NewTimer]


def checked(checker: Checker, document: Document, owner_id: str) -> CheckedDocument:
    """The document, valid as one of this owner's, each call in it pinned. Raises `InvalidGraph` with all its issues."""
    result = checker.check(document.text, document.syntax, owner_id)
    if result.issues or result.spec is None or result.document is None or result.sha256 is None:
        count = len(result.issues)
        raise InvalidGraph(
            f"The document has {count} issue{'s' if count != 1 else ''}.", [issue.as_dict() for issue in result.issues]
        )
    spec = result.spec
    triggers = [
        NewTrigger(trigger.id, trigger.type, trigger.model_dump(mode="json", exclude_none=True), trigger.enabled)
        for trigger in spec.triggers
    ]
    timers = [
        NewTimer(trigger.id, trigger.timing(), trigger.is_plain_cron)
        for trigger in spec.triggers
        if isinstance(trigger, ScheduleTrigger)
    ]
    return CheckedDocument(spec.name, result.document, result.sha256, triggers, timers)

"""Graph documents as request bodies: read whole, within the limit, and checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Depends, Request

from graph_compiler.checking.validation import Checked, check
from graph_compiler.drafts.placement import ClusterPolicy
from graph_compiler.language.library import GraphLibrary
from graph_compiler.language.schedule_trigger import ScheduleTrigger
from graph_compiler.language.spec import GraphSpec
from graph_compiler.nodes.node_type import NodeTypes
from platform_core.errors import InvalidGraph, TooLarge
from platform_core.triggers.timer_store import NewTimer
from platform_core.triggers.trigger_store import NewTrigger
from platform_core.web.services import services_of

Syntax = Literal["json", "yaml"]

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
    """The text of a document; without a telling content type its syntax is found out."""

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
    """A valid document in its canonical form: what runs execute, and beside it what they do not."""

    spec: GraphSpec
    canonical: str
    sha256: str
    annotations: str | None

    def triggers(self) -> list[NewTrigger]:
        return [
            NewTrigger(trigger.id, trigger.type, trigger.model_dump(mode="json", exclude_none=True), trigger.enabled)
            for trigger in self.spec.triggers
        ]

    def timers(self) -> list[NewTimer]:
        return [
            NewTimer(trigger.id, trigger.timing(), trigger.is_plain_cron)
            for trigger in self.spec.triggers
            if isinstance(trigger, ScheduleTrigger)
        ]


def check_document(
    document: Document, node_types: NodeTypes, library: GraphLibrary, cluster: ClusterPolicy | None = None
) -> Checked:
    """All issues of a document, and its spec when there are none; it may call the graphs of the library."""
    limit = len(document.text) + 1
    return check(
        document.text,
        syntax=document.syntax,
        max_bytes=limit,
        node_types=node_types,
        library=library,
        cluster=cluster,
    )


def checked(
    document: Document, node_types: NodeTypes, library: GraphLibrary, cluster: ClusterPolicy | None = None
) -> CheckedDocument:
    """The document, valid, each call in it pinned to a version. Raises `InvalidGraph` with all its issues."""
    result = check_document(document, node_types, library, cluster)
    if result.issues or result.spec is None or result.document is None or result.sha256 is None:
        count = len(result.issues)
        raise InvalidGraph(
            f"The document has {count} issue{'s' if count != 1 else ''}.", [issue.as_dict() for issue in result.issues]
        )
    return CheckedDocument(result.spec, result.document, result.sha256, result.annotations)

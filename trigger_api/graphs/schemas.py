"""Shapes of graphs, versions and issues."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from platform_core.graphs.graph_store import Graph, GraphVersion
from platform_core.triggers.trigger_store import Trigger
from trigger_api.shared.links import Links
from trigger_api.shared.schemas import Answer
from trigger_api.triggers.schemas import TriggerAnswer


class GraphSummary(Answer):
    """A graph at its current version."""

    id: str
    name: str
    owner: str
    version: int
    sha256: str
    created_at: datetime
    updated_at: datetime
    links: dict[str, str]

    @classmethod
    def of(cls, graph: Graph, links: Links) -> GraphSummary:
        return cls(**_summary(graph, links))


class GraphAnswer(GraphSummary):
    """A graph with the document and the triggers of its current version."""

    document: dict[str, Any]
    triggers: list[TriggerAnswer]

    @classmethod
    def whole(cls, graph: Graph, document: str, triggers: list[Trigger], links: Links) -> GraphAnswer:
        return cls(
            **_summary(graph, links),
            document=json.loads(document),
            triggers=[TriggerAnswer.of(trigger, links) for trigger in triggers],
        )


class VersionSummary(Answer):
    """An immutable version."""

    version: int
    sha256: str
    created_at: datetime
    links: dict[str, str]

    @classmethod
    def of(cls, version: GraphVersion, links: Links) -> VersionSummary:
        return cls(
            version=version.version,
            sha256=version.sha256,
            created_at=version.created_at,
            links=links.version(version.graph_id, version.version),
        )


class VersionAnswer(VersionSummary):
    """An immutable version with its document."""

    document: dict[str, Any]

    @classmethod
    def of(cls, version: GraphVersion, links: Links) -> VersionAnswer:
        summary = VersionSummary.of(version, links)
        return cls(**summary.model_dump(), document=json.loads(version.document))


class IssueAnswer(Answer):
    """A finding in a document: what is wrong, where (JSON pointer, line and column), and what to do."""

    code: str
    path: str
    message: str
    line: int | None = None
    column: int | None = None
    hint: str | None = None


class ValidationAnswer(Answer):
    """All findings in a document; a valid one has none."""

    valid: bool
    issues: list[IssueAnswer]


def _summary(graph: Graph, links: Links) -> dict[str, Any]:
    return {
        "id": graph.id,
        "name": graph.name,
        "owner": graph.owner,
        "version": graph.version,
        "sha256": graph.sha256,
        "created_at": graph.created_at,
        "updated_at": graph.updated_at,
        "links": links.graph(graph.id),
    }

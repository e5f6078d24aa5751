"""Shapes of graphs, versions and issues."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from graph_compiler.checking.secret_uses import SecretUse
from graph_compiler.language.annotations import whole
from graph_compiler.values.difference import Difference
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
    def whole(
        cls, graph: Graph, document: str, annotations: str | None, triggers: list[Trigger], links: Links
    ) -> GraphAnswer:
        return cls(
            **_summary(graph, links),
            document=whole(document, annotations),
            triggers=[TriggerAnswer.of(trigger, links) for trigger in triggers],
        )


class SecretUseAnswer(Answer):
    """A secret, and which nodes and triggers may read it; `*` where only a run can tell the name."""

    name: str
    nodes: list[str]
    triggers: list[str]


class OneGraphAnswer(GraphAnswer):
    """A graph with what it may read of its owner's secrets."""

    secrets: list[SecretUseAnswer]

    @classmethod
    def with_secrets(cls, graph: GraphAnswer, uses: Iterable[SecretUse]) -> OneGraphAnswer:
        return cls(**dict(graph), secrets=[SecretUseAnswer(**vars(use)) for use in uses])


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
    """An immutable version with its document; `tests` and `layout` of it may change."""

    document: dict[str, Any]

    @classmethod
    def of(cls, version: GraphVersion, links: Links) -> VersionAnswer:
        summary = VersionSummary.of(version, links)
        return cls(**summary.model_dump(), document=whole(version.document, version.annotations))


class ChangeAnswer(Answer):
    """One place in which two versions differ."""

    kind: Literal["added", "removed", "changed", "reordered"]
    path: str = Field(description="JSON pointer in the newer version; of what was removed in the older one.")
    place: str = Field(description="The same by ids, as in `nodes[score].config.code`.")
    before: Any = None
    after: Any = None
    lines: list[str] = Field(description="Of texts with several lines their unified difference, else empty.")


class DifferenceAnswer(Answer):
    """What a version changes of another one; equal versions have no changes."""

    from_version: int
    to_version: int
    changes: list[ChangeAnswer]

    @classmethod
    def of(cls, older: int, newer: int, found: Iterable[Difference]) -> DifferenceAnswer:
        changes = [ChangeAnswer(**{**vars(each), "lines": list(each.lines)}) for each in found]
        return cls(from_version=older, to_version=newer, changes=changes)


class NodeTypeAnswer(Answer):
    """A node type that a document may use."""

    name: str
    summary: str
    secrets: bool = Field(description="Whether templates of its config may name `secrets.<name>`.")
    config_schema: dict[str, Any] = Field(description="The JSON Schema of its config.")


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

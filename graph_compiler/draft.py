"""A document on its way to a spec: whatever of it can be read is, so that one mistake does not hide another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from .issues import Finding
from .node_type import AnyNodeType, NodeConfig, Ports
from .shape import findings_of
from .spec import EdgeSpec, GraphSpec, NodeSpec, WebhookTrigger

LATER_TRIGGERS = ("schedule",)

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Placed(Generic[M]):
    """A part of the document that has its shape, and its JSON pointer."""

    path: str
    spec: M


@dataclass
class DraftNode:
    """A node as far as it is understood: without ports if its type or config is not."""

    path: str
    spec: NodeSpec
    node_type: AnyNodeType | None = None
    config: NodeConfig | None = None
    ports: Ports | None = None


@dataclass
class Draft:
    """The parts of a document that could be read; `ids` are those of all nodes, readable or not, with their places."""

    nodes: list[DraftNode] = field(default_factory=list)
    ids: list[tuple[str, str]] = field(default_factory=list)
    trigger_ids: list[tuple[str, str]] = field(default_factory=list)
    edges: list[Placed[EdgeSpec]] = field(default_factory=list)
    triggers: list[Placed[WebhookTrigger]] = field(default_factory=list)
    params: dict[str, Any] | None = None
    """None if what stands there is no object."""
    outputs: dict[str, Any] = field(default_factory=dict)
    name: str | None = None

    def by_id(self) -> dict[str, DraftNode]:
        """The readable nodes by id; the first of two with one id."""
        return {node.spec.id: node for node in reversed(self.nodes)}


def read_draft(data: Any) -> tuple[GraphSpec | None, Draft, list[Finding]]:
    """The spec if the data has the shape of one, what could be read in any case, and the findings of shape."""
    if not isinstance(data, dict):
        return None, Draft(), [Finding("wrong_type", "", "a graph document is an object")]
    present, rows, findings = _without_later_triggers(data)
    spec: GraphSpec | None = None
    try:
        spec = GraphSpec.model_validate(present)
    except ValidationError as error:
        findings += findings_of(error, present, "", GraphSpec, rows)
    params = data.get("params", {})
    outputs = data.get("outputs")
    draft = Draft(
        nodes=[DraftNode(placed.path, placed.spec) for placed in _placed(NodeSpec, present, "nodes", rows)],
        ids=list(_ids(data, "nodes")),
        trigger_ids=list(_ids(data, "triggers")),
        edges=list(_placed(EdgeSpec, present, "edges", rows)),
        triggers=list(_placed(WebhookTrigger, present, "triggers", rows)),
        params=params if isinstance(params, dict) else None,
        outputs=outputs if isinstance(outputs, dict) else {},
        name=name if isinstance(name := data.get("name"), str) else None,
    )
    return spec, draft, findings


def _without_later_triggers(data: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Sequence[int]], list[Finding]]:
    """The document without triggers that a later version executes, and an `unsupported` for each of them."""
    present = dict(data)
    rows: dict[str, Sequence[int]] = {}
    findings: list[Finding] = []
    if isinstance(triggers := data.get("triggers"), list):
        kept = [row for row, trigger in enumerate(triggers) if not _is_later(trigger, f"/triggers/{row}", findings)]
        present["triggers"] = [triggers[row] for row in kept]
        rows["triggers"] = kept
    return present, rows, findings


def _is_later(trigger: Any, path: str, findings: list[Finding]) -> bool:
    kind = trigger.get("type") if isinstance(trigger, dict) else None
    if not isinstance(kind, str) or kind not in LATER_TRIGGERS:
        return False
    message = f"triggers of type `{kind}` are not executed by this version of Headrace"
    findings.append(Finding("unsupported", f"{path}/type", message))
    return True


def _placed(model: type[M], data: dict[str, Any], key: str, rows: dict[str, Sequence[int]]) -> Iterator[Placed[M]]:
    elements = data.get(key)
    if isinstance(elements, list):
        for row, element in zip(rows.get(key, range(len(elements))), elements, strict=True):
            spec = _salvaged(model, element)
            if spec is not None:
                yield Placed(f"/{key}/{row}", spec)


def _salvaged(model: type[M], element: Any) -> M | None:
    """The element as the model, without the keys that are wrong if it can do without them."""
    try:
        return model.model_validate(element)
    except ValidationError as error:
        if not isinstance(element, dict):
            return None
        wrong = {detail["loc"][0] for detail in error.errors(include_url=False) if detail["loc"]}
    try:
        return model.model_validate({key: value for key, value in element.items() if key not in wrong})
    except ValidationError:
        return None


def _ids(data: dict[str, Any], key: str) -> Iterator[tuple[str, str]]:
    elements = data.get(key)
    for row, element in enumerate(elements if isinstance(elements, list) else ()):
        if isinstance(element, dict) and isinstance(element.get("id"), str):
            yield element["id"], f"/{key}/{row}/id"

"""A document on its way to a spec: whatever of it can be read is, so that one mistake does not hide another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from graph_compiler.drafts.salvage import readable_test
from graph_compiler.drafts.shape import findings_of
from graph_compiler.language.graph_test import GraphTest
from graph_compiler.language.issues import Issue
from graph_compiler.language.schedule_trigger import TIMING, ScheduleTrigger
from graph_compiler.language.spec import EdgeSpec, GraphSpec, NodeSpec
from graph_compiler.language.webhook_trigger import WebhookTrigger
from graph_compiler.nodes.node_type import AnyNodeType, NodeConfig, Ports

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
    """The parts of a document that could be read, schedules with other times than their own.

    `ids` are those of all nodes, readable or not, with their places.
    """

    nodes: list[DraftNode] = field(default_factory=list)
    ids: list[tuple[str, str]] = field(default_factory=list)
    trigger_ids: list[tuple[str, str]] = field(default_factory=list)
    test_names: list[tuple[str, str]] = field(default_factory=list)
    edges: list[Placed[EdgeSpec]] = field(default_factory=list)
    triggers: list[Placed[WebhookTrigger]] = field(default_factory=list)
    schedules: list[Placed[ScheduleTrigger]] = field(default_factory=list)
    tests: list[Placed[GraphTest]] = field(default_factory=list)
    params: dict[str, Any] | None = None
    """None if what stands there is no object."""
    outputs: dict[str, Any] = field(default_factory=dict)
    name: str | None = None

    def by_id(self) -> dict[str, DraftNode]:
        """The readable nodes by id; the first of two with one id."""
        return {node.spec.id: node for node in reversed(self.nodes)}


def read_draft(data: Any) -> tuple[GraphSpec | None, Draft, list[Issue]]:
    """The spec if the data has the shape of one, what could be read in any case, and the findings of shape."""
    if not isinstance(data, dict):
        return None, Draft(), [Issue("wrong_type", "", "a graph document is an object")]
    spec: GraphSpec | None = None
    findings: list[Issue] = []
    try:
        spec = GraphSpec.model_validate(data)
    except ValidationError as error:
        findings = findings_of(error, data, "", GraphSpec)
    params = data.get("params", {})
    outputs = data.get("outputs")
    draft = Draft(
        nodes=[DraftNode(placed.path, placed.spec) for placed in _placed(NodeSpec, data, "nodes")],
        ids=list(_ids(data, "nodes")),
        trigger_ids=list(_ids(data, "triggers")),
        edges=list(_placed(EdgeSpec, data, "edges")),
        triggers=list(_placed(WebhookTrigger, data, "triggers", "webhook")),
        schedules=list(_schedules(data)),
        tests=list(_tests(data)),
        test_names=list(_ids(data, "tests", "name")),
        params=params if isinstance(params, dict) else None,
        outputs=outputs if isinstance(outputs, dict) else {},
        name=name if isinstance(name := data.get("name"), str) else None,
    )
    return spec, draft, findings


def _placed(model: type[M], data: dict[str, Any], key: str, type: str | None = None) -> Iterator[Placed[M]]:
    """The elements that have the model's shape; of triggers only those of the type."""
    elements = data.get(key)
    for row, element in enumerate(elements if isinstance(elements, list) else ()):
        if type is None or (isinstance(element, dict) and element.get("type") == type):
            spec = _salvaged(model, element)
            if spec is not None:
                yield Placed(f"/{key}/{row}", spec)


def _schedules(data: dict[str, Any]) -> Iterator[Placed[ScheduleTrigger]]:
    """The timers; one whose times are wrong gets others, so that its params are looked at."""
    triggers = data.get("triggers")
    rows = [_without_times(trigger) for trigger in triggers] if isinstance(triggers, list) else None
    return _placed(ScheduleTrigger, {"triggers": rows}, "triggers", "schedule")


def _tests(data: dict[str, Any]) -> Iterator[Placed[GraphTest]]:
    tests = data.get("tests")
    rows = [readable_test(test) for test in tests] if isinstance(tests, list) else None
    return _placed(GraphTest, {"tests": rows}, "tests")


def _without_times(trigger: Any) -> Any:
    if not isinstance(trigger, dict):
        return trigger
    return {key: value for key, value in trigger.items() if key not in TIMING} | {"every": 1.0}


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


def _ids(data: dict[str, Any], key: str, name: str = "id") -> Iterator[tuple[str, str]]:
    elements = data.get(key)
    for row, element in enumerate(elements if isinstance(elements, list) else ()):
        if isinstance(element, dict) and isinstance(element.get(name), str):
            yield element[name], f"/{key}/{row}/{name}"

"""The contract of a node type: its config, its ports, and what it does when a node of it runs.

Third parties subclass `NodeType` and offer an instance through the entry-point group `headrace.node_types`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, JsonValue
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from graph_compiler.language.issues import Issue
from graph_compiler.language.library import CalledGraph
from graph_compiler.nodes.asking import Answer, Asking
from graph_compiler.nodes.runtime import Level, NodeRuntime
from graph_compiler.templates.templates import is_template, render
from graph_compiler.values.port_types import PortType


@dataclass(frozen=True)
class Port:
    """A named, typed end of a node."""

    name: str
    type: PortType = "any"
    description: str = ""
    required: bool = False


@dataclass(frozen=True)
class Ports:
    """The ports of one node; `open` nodes also take inputs of other names, which their templates must use."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    open: bool = True
    takes_all: bool = False
    """Every input is used, also one that no template names (a Python `main` with `**kwargs`)."""
    is_known: bool = True
    """Whether these are its ports; of a call of a graph that is not known nobody can tell."""


class _Templated:
    """Marks a config field whose text may be a template; its type holds once the template is rendered."""

    def __init__(self, *, is_lazy: bool = False) -> None:
        self.is_lazy = is_lazy

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def validate(value: Any, rest: Any, info: core_schema.ValidationInfo[Any]) -> Any:
            rendered = (info.context or {}).get("rendered", False)
            return value if is_template(value) and not rendered else rest(value)

        return core_schema.with_info_wrap_validator_function(validate, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core)
        if schema in ({}, {"type": "string"}):
            return schema
        return {"anyOf": [schema, {"type": "string", "pattern": r"\{[{%#]", "description": "A template."}]}


NAMES_SECRET: dict[str, JsonValue] = {"x-names-secret": True}
"""`json_schema_extra` of a config field that is the name of a secret: editors and `secret_names` look for it."""
TEMPLATED = _Templated()
LAZY = _Templated(is_lazy=True)
"""A templated field that the node type renders itself, by `NodeCall.render`."""


class NodeConfig(BaseModel):
    """Base of node configs: frozen, strict, closed; every field has a description, the model has examples."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @classmethod
    def templated_fields(cls) -> frozenset[str]:
        """The document's names of the fields that may hold templates."""
        return cls._marked(lambda mark: True)

    @classmethod
    def rendered_fields(cls) -> frozenset[str]:
        """The document's names of the fields whose templates are rendered before a node runs."""
        return cls._marked(lambda mark: not mark.is_lazy)

    @classmethod
    def _marked(cls, wanted: Callable[[_Templated], bool]) -> frozenset[str]:
        return frozenset(
            field.alias or name
            for name, field in cls.model_fields.items()
            if any(isinstance(mark, _Templated) and wanted(mark) for mark in field.metadata)
        )


@dataclass(frozen=True)
class FailureKind:
    """A way in which nodes of a type fail: the stable kind, when it comes, whether a retry tries again."""

    kind: str
    meaning: str
    retried: bool = False


C = TypeVar("C", bound=NodeConfig)


@dataclass(frozen=True)
class NodeCall(Generic[C]):
    """One attempt of one node: its config is rendered, its inputs are JSON values by port."""

    node: str
    config: C
    inputs: Mapping[str, Any]
    runtime: NodeRuntime
    timeout: float | None = None
    item: int | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    """What templates see: params, inputs, trigger, run, and item and index under `foreach`."""

    def render(self, value: Any) -> Any:
        """Render the templates of a field that is `LAZY`. Raises `NodeError`."""
        return render(value, self.context)

    def publish_line(self, stream: str, text: str) -> None:
        """Publish a line that the node wrote to `stdout` or `stderr`."""
        level: Level = "info" if stream == "stdout" else "warning"
        self.runtime.emit(stream, text, level=level, node=self.node, item=self.item)

    def publish(self, kind: str, content: Mapping[str, Any]) -> None:
        """Publish what the node's code said by `headrace`: progress, emit, log; or that its output was cut."""
        type, message, level = "log", content.get("message", ""), content.get("level", "info")
        data: Mapping[str, Any] = {}
        match kind:
            case "progress":
                type, data = "node.progress", {"fraction": content["fraction"]}
            case "emit":
                type, message = "node.output", f"{self.node} produced a part of result."
                data = {"port": "result", "partial": True, "value": content["value"]}
            case "log":
                data = content["fields"]
            case "truncated":
                type, level, data = "truncated", "warning", {"of": content["of"], "limit": content["limit"]}
        self.runtime.emit(type, message, level=level, node=self.node, item=self.item, data=data)


class NodeType(ABC, Generic[C]):
    """A reusable kind of node."""

    name: ClassVar[str]
    summary: ClassVar[str]
    config_model: type[C]
    notes: ClassVar[str] = ""
    """What the reference says beyond the summary, in Markdown."""
    failures: ClassVar[tuple[FailureKind, ...]] = ()
    """The kinds of errors that `execute` raises."""
    secrets: ClassVar[bool] = False
    """Whether templates of the config may name `secrets.<name>`."""
    gathers: ClassVar[bool] = False
    """Whether it runs with whichever inputs there are; other types are skipped with any of their inputs."""
    chooses: ClassVar[bool] = False
    """Whether it may leave outputs out; what depends on those is skipped."""
    uses_processor: ClassVar[bool] = False
    """Whether it computes rather than waits: no more of its nodes run at once than there are processors."""
    fallback_ports: ClassVar[Ports | None] = None
    """What is certain of the ports where the config is wrong in what decides them; None: nothing."""
    takes_foreach: ClassVar[bool] = True
    """Whether a node of it may run once per item."""
    light: ClassVar[bool] = False
    """Whether it only computes from its inputs, briefly: it never waits, and reaches nothing but `emit`.

    Light nodes are executed in the engine's own thread, which others wait for, and may be executed again after a loss.
    """
    pauses: ClassVar[bool] = False
    """Whether a node of it waits for a time (`pause`) before it executes; the engine does that without a thread."""

    asks: ClassVar[bool] = False
    """Whether a node of it waits for what comes from outside of its run (`asking`, `answered`) and is not executed."""

    @abstractmethod
    def ports(self, config: C) -> Ports:
        """The ports of a node with this (unrendered) config."""

    def called(self, config: C) -> CalledGraph | None:
        """The graph that a node of it runs, if that is what it does. Raises `CompilationError`."""
        return None

    def defects(self, config: C) -> Iterable[Issue]:
        """What is wrong with a config that has the right shape."""
        return ()

    def pause(self, config: C, timeout: float | None) -> float:
        """Seconds for which a node with this rendered config waits, if the type `pauses`; no more than its timeout."""
        return 0.0

    def asking(self, config: C, now: float) -> Asking:
        """What a node with this rendered config waits for, if the type `asks`; `now` in seconds since the epoch.

        Raises `NodeError`.
        """
        raise NotImplementedError

    def answered(self, answer: Answer | None, at: float) -> Mapping[str, Any]:
        """The outputs by the answer; None if none came in time. `at` is now, in seconds since the epoch."""
        raise NotImplementedError

    @abstractmethod
    def execute(self, call: NodeCall[C]) -> Mapping[str, Any]:
        """Do the work; answers a JSON value for every output port. Raises `NodeError`."""

    def read_config(self, config: Mapping[str, Any], *, rendered: bool) -> C:
        """The config as its model; raises pydantic's ValidationError. Templates pass until they are rendered."""
        return self.config_model.model_validate(config, context={"rendered": rendered})

    def secret_names(self, config: C) -> set[str]:
        """The secrets that fields of this config name; what its templates name comes besides."""
        return set(_secrets_named(config))

    def describe(self) -> dict[str, Any]:
        """What `GET /api/v1/node-types` answers for this type."""
        return {
            "name": self.name,
            "summary": self.summary,
            "secrets": self.secrets,
            "config_schema": self.config_model.model_json_schema(),
        }


def _secrets_named(config: BaseModel) -> Iterator[str]:
    for name, declared in type(config).model_fields.items():
        value = getattr(config, name)
        if isinstance(value, BaseModel):
            yield from _secrets_named(value)
        elif isinstance(value, str) and declared.json_schema_extra == NAMES_SECRET:
            yield value


AnyNodeType = NodeType[Any]
NodeTypes = Mapping[str, AnyNodeType]

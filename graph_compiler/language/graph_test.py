"""Tests that a graph carries: its params, stand-ins for nodes, and what a run is expected to do."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from graph_compiler.values.model import ID, Identifier, Model

STAND_IN_ERROR = "error"
"""The key of a stand-in that lets its node fail, unless the node's type has a port of that name."""

NODE_PATH = ID[:-1] + r"(/" + ID[1:-1] + r")*$"
NodePath = Annotated[str, StringConstraints(pattern=NODE_PATH)]
"""A node, or `call/inner`: a node of the graph that `call` calls."""
EventType = Literal[
    "node.started",
    "node.retrying",
    "node.succeeded",
    "node.skipped",
    "node.failed",
    "node.progress",
    "node.output",
    "log",
    "stdout",
    "stderr",
    "truncated",
]


class ExpectedError(Model):
    """The error that the run is to fail with."""

    kind: Identifier = Field(description="The kind of the error.", examples=["http_timeout"])
    node: NodePath | None = Field(default=None, description="The node that it comes from; without it, any.")
    message: str | None = Field(default=None, description="A part of its message.")


class ExpectedEvent(Model):
    """An event that is to come; keys that are left out fit any event."""

    type: EventType = Field(description="The type of the event, of those that nodes have.")
    node: NodePath | None = Field(default=None, description="Where it comes from.")
    item: Annotated[int, Field(ge=0)] | None = Field(default=None, description="The item of a `foreach`, from 0.")
    message: str | None = Field(default=None, description="A part of its message.")


class Expected(Model):
    """What a run of the test is expected to do; without `error` it is to succeed."""

    outputs: dict[Identifier, Any] = Field(
        default_factory=dict, description="Outputs by name, each compared as a whole; others are not looked at."
    )
    error: ExpectedError | None = Field(default=None, description="The run is to fail with this.")
    events: list[ExpectedEvent] = Field(
        default_factory=list, description="Events that are to come in this order; others may come between them."
    )

    @model_validator(mode="after")
    def _is_one_end(self) -> Expected:
        if self.error is not None and self.outputs:
            raise PydanticCustomError("bad_value", "a run that fails has no outputs: expect `outputs` or `error`")
        return self


class GraphTest(Model):
    """One test of the graph, which `headrace test` runs without a server."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(
        description="Unique in the graph.", examples=["small push"]
    )
    description: str | None = Field(default=None, description="What the test shows.")
    params: dict[str, Any] = Field(default_factory=dict, description="The params of the run, as they are.")
    nodes: dict[NodePath, dict[str, Any]] = Field(
        default_factory=dict,
        description="Stand-ins by node: its outputs by port, of a `foreach` the lists of all items; or "
        "`{error: {kind, message}}`, and the node fails. `call/inner` is a node of a called graph.",
    )
    expect: Expected = Field(default_factory=Expected, description="Without it, that the run succeeds.")


class StandInError(Model):
    """The error that a stand-in fails with."""

    kind: Identifier
    message: str = "The stand-in of the test failed."

"""The graph document as frozen models: shape only, unknown keys forbidden; meaning is `validation`'s business."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, StringConstraints

from graph_compiler.language.graph_test import GraphTest
from graph_compiler.language.schedule_trigger import ScheduleTrigger
from graph_compiler.language.webhook_trigger import WebhookTrigger
from graph_compiler.values.durations import Duration
from graph_compiler.values.model import GRAPH_NAME, ID, Identifier, Model

MAX_NODES = 5_000
MAX_TESTS = 1_000
MAX_TURNS = 10_000

ErrorKind = Annotated[str, StringConstraints(pattern=ID)]


class PortRef(NamedTuple):
    """One port of one node, written `node.port` in a document."""

    node: str
    port: str

    def __str__(self) -> str:
        return f"{self.node}.{self.port}"


class EdgeSpec(Model):
    """Data moves from an output port to an input port."""

    from_: Annotated[str, StringConstraints(pattern=ID[:-1] + r"\." + ID[1:])] = Field(
        alias="from", description="The output port, `node.port`.", examples=["recent.value"]
    )
    to: Annotated[str, StringConstraints(pattern=ID[:-1] + r"\." + ID[1:])] = Field(
        description="The input port, `node.port`.", examples=["score.commits"]
    )

    @property
    def source(self) -> PortRef:
        return PortRef(*self.from_.split("."))

    @property
    def target(self) -> PortRef:
        return PortRef(*self.to.split("."))


class RetrySpec(Model):
    """How often, and after which pauses, a failed node is tried again."""

    max_attempts: int = Field(ge=1, le=100, description="All attempts, the first one included.")
    delay: Duration = Field(default=1.0, description="Pause before the second attempt.")
    backoff: Literal["constant", "linear", "exponential"] = Field(
        default="constant", description="How the pause grows from attempt to attempt."
    )
    jitter: Literal["none", "full", "plus_minus"] = Field(
        default="none", description="`full`: between 0 and the pause; `plus_minus`: around it."
    )
    on: Annotated[list[ErrorKind], Field(min_length=1)] | None = Field(
        default=None, description="Only errors of these kinds; without it, all that another attempt may help."
    )


class CacheSpec(Model):
    """Which results of a node are as good as running it again."""

    key: Any = Field(
        description="Rendered with the node's inputs; equal keys share a result.", examples=["{{ inputs.x }}"]
    )
    ttl: Duration = Field(description="How long a result is taken.", examples=["1h"])


class RepeatSpec(Model):
    """A node that runs again and again, until a condition on what it gave holds."""

    until: str = Field(
        description="A template that gives true or false after each turn; it sees what `config` does, and `outputs`.",
        examples=["{{ outputs.body.status == 'done' }}"],
    )
    delay: Duration = Field(default=1.0, description="Pause between two turns.")
    backoff: Literal["constant", "linear", "exponential"] = Field(
        default="constant", description="How the pause grows from turn to turn; `exponential` doubles it."
    )
    max_delay: Duration | None = Field(default=None, description="The longest pause.")
    max: int = Field(default=100, ge=1, le=MAX_TURNS, description="Turns; past it the node fails with `not_reached`.")
    timeout: Duration | None = Field(
        default=None, description="From the first turn on: where no other turn could begin in time, `not_reached`."
    )


class NodeSpec(Model):
    """One step of the graph."""

    id: Identifier = Field(description="Unique in the graph; ports are named `id.port`.")
    type: str = Field(description="The name of a node type.", examples=["transform"])
    description: str | None = Field(default=None, description="What this node is for.")
    config: dict[str, Any] = Field(default_factory=dict, description="What the node type asks for.")
    after: list[Identifier] = Field(
        default_factory=list, description="Nodes that must have ended before; if one was skipped, so is this."
    )
    when: bool | str | None = Field(
        default=None,
        description="A template that gives true or false; false skips the node and what depends on it.",
        examples=["{{ inputs.rows | length > 0 }}"],
    )
    foreach: list[Any] | str | None = Field(
        default=None,
        description="A list, or a template of one: the node runs once per item, its outputs are lists in that order.",
        examples=["{{ inputs.rows }}"],
    )
    max_parallel: int | None = Field(default=None, ge=1, le=1_000, description="Items run at once, with `foreach`.")
    on_item_error: Literal["fail", "collect"] | None = Field(
        default=None,
        description="With `foreach`; `collect`: a failed item is null in the outputs, and the port `errors` says why.",
    )
    on_error: Literal["fail", "continue", "route"] = Field(
        default="fail",
        description="`continue`: the run goes on without the outputs; `route`: also the port `error` gives the error.",
    )
    finally_: bool = Field(
        default=False, alias="finally", description="Run after all other nodes have ended, whatever happened to them."
    )
    cache: CacheSpec | None = Field(default=None, description="Without it, every run executes the node.")
    retry: RetrySpec | None = Field(default=None, description="Without it, one attempt.")
    repeat: RepeatSpec | None = Field(default=None, description="Run it again until a condition holds.")
    timeout: Duration | None = Field(default=None, description="Of one attempt; a longer one fails.")
    repeatable: bool | None = Field(
        default=None,
        description="Whether an attempt that was cut when the run's worker was lost may be executed again; without it, "
        "one that has no effects, or whose `retry` allows it. Else it fails with `worker_lost`.",
    )


TriggerSpec = Annotated[WebhookTrigger | ScheduleTrigger, Field(discriminator="type")]


class ResourcesSpec(Model):
    """What a run's pod asks of a cluster, in Kubernetes' units."""

    cpu: Annotated[str, StringConstraints(pattern=r"^([0-9]{1,6}m|[0-9]{1,4}(\.[0-9]{1,3})?)$")] | None = Field(
        default=None, examples=["500m"]
    )
    memory: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,12}(Ki|Mi|Gi|Ti|k|M|G|T)?$")] | None = Field(
        default=None, examples=["512Mi"]
    )


class TolerationSpec(Model):
    """A taint of nodes that a run's pod may stand on all the same."""

    key: Annotated[str, StringConstraints(min_length=1, max_length=317)]
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None


class KubernetesSpec(Model):
    """Wishes for a run's pod; without a cluster they mean nothing, and the operator says what is allowed."""

    image: Annotated[str, StringConstraints(pattern=r"^\S+$", max_length=512)] | None = Field(
        default=None, description="Another image of Headrace for the run's pod, with what its nodes import."
    )
    service_account: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")] | None = (
        Field(default=None, description="The pod's ServiceAccount, in the namespace of runs.")
    )
    node_selector: dict[str, str] = Field(default_factory=dict, description="Labels that the pod's node must have.")
    tolerations: list[TolerationSpec] = Field(default_factory=list, max_length=20)
    start_deadline: Duration | None = Field(
        default=None, description="How long the pod may take to start; then the run fails, saying why."
    )
    retries: int = Field(
        default=0,
        ge=0,
        le=10,
        description="New runs in place of one that the cluster lost; apart from the nodes' own `retry`.",
    )
    network: Literal["none", "internet"] = Field(
        default="internet", description="What the pod may reach besides the database, where policies are enforced."
    )


class SettingsSpec(Model):
    """Limits and wishes that hold for every run of the graph."""

    timeout: Duration | None = Field(default=None, description="Of a whole run; a longer one fails.")
    max_parallel: int | None = Field(
        default=None, ge=1, le=256, description="Nodes that run at once; without it, four per processor."
    )
    max_concurrent_runs: int | None = Field(default=None, ge=1, le=10_000)
    priority: int = Field(default=0, ge=-1_000, le=1_000, description="Higher leaves the queue first.")
    resources: ResourcesSpec | None = None
    retention: Duration | None = Field(default=None, description="How long ended runs are kept; without it, for ever.")
    kubernetes: KubernetesSpec = Field(default_factory=KubernetesSpec, description="Of runs that are pods.")
    on_worker_loss: Literal["resume", "fail"] = Field(
        default="resume", description="Whether a run whose worker is lost goes on in another, or fails."
    )


class GraphSpec(Model):
    """A whole graph document, version 1 of the language."""

    spec_version: Literal[1]
    name: Annotated[str, StringConstraints(pattern=GRAPH_NAME)]
    description: str | None = None
    params: dict[str, Any] = Field(
        default_factory=dict, description="JSON Schema 2020-12 of the run's params, an object."
    )
    nodes: Annotated[list[NodeSpec], Field(min_length=1, max_length=MAX_NODES)]
    edges: list[EdgeSpec] = Field(default_factory=list)
    outputs: dict[Identifier, Any] = Field(
        default_factory=dict, description="What a run returns; templates see params, nodes, trigger and run."
    )
    triggers: list[TriggerSpec] = Field(default_factory=list)
    settings: SettingsSpec = Field(default_factory=SettingsSpec)
    tests: Annotated[list[GraphTest], Field(max_length=MAX_TESTS)] = Field(
        default_factory=list, description="What `headrace test` runs; no part of what a run executes."
    )
    layout: dict[str, Any] | None = Field(
        default=None, description="How an editor draws the graph: positions, notes. Nothing else reads it."
    )

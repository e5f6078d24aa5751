"""`container`: a container that runs to its end; only where the installation has a place for containers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from graph_compiler.nodes.node_type import (
    TEMPLATED,
    ConfigDefect,
    FailureKind,
    NodeCall,
    NodeConfig,
    NodeType,
    Port,
    Ports,
)
from graph_compiler.nodes.runtime import ContainerTask
from graph_compiler.templates.template_sandbox import as_text

Quantity = Annotated[str, Field(pattern=r"^\d+(\.\d+)?(m|Ki|Mi|Gi|Ti)?$")]


class ContainerResources(NodeConfig):
    """What the container may use, as Kubernetes writes it."""

    cpu: Quantity | None = Field(default=None, description="Processors, such as `500m` or `2`.")
    memory: Quantity | None = Field(default=None, description="Memory, such as `512Mi`.")


class ContainerConfig(NodeConfig):
    """Config of `container`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "image": "registry.example.com/train:3",
                    "command": ["python", "train.py", "--epochs", "{{ params.epochs }}"],
                    "env": {"TOKEN": "{{ secrets.model_token }}"},
                    "resources": {"cpu": "2", "memory": "4Gi"},
                }
            ]
        }
    )

    image: Annotated[str, Field(pattern=r"^\S+$", max_length=512), TEMPLATED] = Field(
        description="The image, with its tag or digest."
    )
    command: Annotated[list[Any], TEMPLATED] = Field(
        default_factory=list, description="The command and its arguments; what is not text is written as JSON."
    )
    env: Annotated[dict[str, Any], TEMPLATED] = Field(
        default_factory=dict, description="Environment variables; what is not text is written as JSON."
    )
    resources: ContainerResources = Field(default=ContainerResources(), description="What it may use.")


class Container(NodeType[ContainerConfig]):
    """See the module. `available` says whether the installation has a place for containers."""

    name = "container"
    summary = "Run a container."
    config_model = ContainerConfig
    notes = (
        "An installation without a container runtime refuses documents with it (issue code `unavailable`). In a "
        "cluster it is a pod of its own, without token or privilege; the operator says which images are allowed. "
        "Its output comes as `stdout`. What it writes as JSON into the file that `HEADRACE_RESULT` names, 4096 bytes "
        "at most, is the result."
    )
    failures = (
        FailureKind("container_unavailable", "This installation has no container runtime."),
        FailureKind("container_refused", "The image or its resources are not allowed, or the cluster refused the pod."),
        FailureKind("container_start_failed", "The container did not start: its image, configuration, or no node."),
        FailureKind("container_failed", "The container ended with another status than 0."),
        FailureKind("container_memory", "The container used more memory than its limit."),
        FailureKind("container_timeout", "The container took longer than the node's `timeout`."),
        FailureKind("container_lost", "The container's pod was deleted, or its node or the cluster was lost."),
    )
    secrets = True

    def __init__(self, *, available: bool = False) -> None:
        self._available = available

    def ports(self, config: ContainerConfig) -> Ports:
        return Ports(inputs=(), outputs=(Port("result", "any", "What the container reports, or null."),))

    def defects(self, config: ContainerConfig) -> Iterator[ConfigDefect]:
        if not self._available:
            message = "this installation has no container runtime, so it cannot run `container` nodes"
            hint = "`python` and `shell` nodes run here; containers need an installation in a cluster"
            yield ConfigDefect("unavailable", "", message, hint=hint)

    def execute(self, call: NodeCall[ContainerConfig]) -> Mapping[str, Any]:
        config = call.config
        task = ContainerTask(
            config.image,
            [as_text(word) for word in config.command],
            {name: as_text(value) for name, value in config.env.items()},
            config.resources.cpu,
            config.resources.memory,
        )
        return {"result": call.runtime.run_container(task, timeout=call.timeout, on_line=call.publish_line)}

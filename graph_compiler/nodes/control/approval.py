"""`approval`: a person decides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from graph_compiler.language.issues import Issue
from graph_compiler.language.params import schema_defects
from graph_compiler.nodes.asking import EXPIRED, Answer, Asking, WaitKind, moment
from graph_compiler.nodes.node_type import TEMPLATED, NodeCall, NodeConfig, NodeType, Port, Ports
from graph_compiler.values.durations import LONGEST, Duration
from graph_compiler.values.errors import NodeError

Somebody = Annotated[
    str, StringConstraints(pattern=r"^(role:(viewer|operator|editor|admin)|user:[a-z][a-z0-9-]{0,62})$")
]


class ApprovalConfig(NodeConfig):
    """Config of `approval`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"message": "Ship {{ inputs.total }}?", "who": ["role:operator"], "timeout": "3d"}]
        }
    )

    message: Annotated[str, TEMPLATED] = Field(description="What is asked.", examples=["Ship {{ inputs.total }}?"])
    form: dict[str, Any] | None = Field(
        default=None, description="JSON Schema (2020-12) of an object: what the answer says beside yes or no."
    )
    who: list[Somebody] = Field(
        default_factory=list,
        max_length=100,
        description="Who may answer: `role:x` (that role or a higher one), `user:x`. Without it, who may start runs.",
    )
    not_by: list[Literal["starter"]] = Field(
        default_factory=list, description="`starter`: not who started the run, whatever `who` says."
    )
    timeout: Annotated[Duration | None, TEMPLATED] = Field(
        default=None, description="How long it waits; without it, 3650 days."
    )


class Approval(NodeType[ApprovalConfig]):
    """See the module."""

    name = "approval"
    summary = "Wait until a person approves or rejects; the run needs no worker meanwhile."
    config_model = ApprovalConfig
    light = True
    asks = True
    chooses = True
    takes_foreach = False

    def ports(self, config: ApprovalConfig) -> Ports:
        answer = "`{by, at, form}`"
        return Ports(
            (),
            (
                Port("approved", "object", f"{answer} of who approved."),
                Port("rejected", "object", f"{answer} of who rejected."),
                Port(EXPIRED, "object", "`{at}`, when the time has come before anybody answered."),
            ),
        )

    def defects(self, config: ApprovalConfig) -> Iterator[Issue]:
        for place, code, message in schema_defects(config.form or {}):
            yield Issue(code, f"/form{place}", message)

    def asking(self, config: ApprovalConfig, now: float) -> Asking:
        seconds = LONGEST if config.timeout is None else config.timeout
        return Asking(WaitKind.APPROVAL, seconds, config.form, config.message, tuple(config.who), tuple(config.not_by))

    def answered(self, answer: Answer | None, at: float) -> Mapping[str, Any]:
        if answer is None:
            return {EXPIRED: {"at": moment(at)}}
        said = {"by": answer.by, "at": moment(answer.at), "form": answer.value}
        return {"approved" if answer.approves else "rejected": said}

    def execute(self, call: NodeCall[ApprovalConfig]) -> Mapping[str, Any]:
        raise NodeError("internal_error", "an approval is not executed")

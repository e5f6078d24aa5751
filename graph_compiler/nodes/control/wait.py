"""`wait`: until a time has come, or somebody outside calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from graph_compiler.language.issues import Issue
from graph_compiler.language.params import schema_defects
from graph_compiler.nodes.asking import ADDRESS, EXPIRED, Answer, Asking, WaitKind, moment
from graph_compiler.nodes.node_type import TEMPLATED, NodeCall, NodeConfig, NodeType, Port, Ports
from graph_compiler.values.durations import LONGEST, Duration
from graph_compiler.values.errors import BadValue, NodeError

_WAYS = ("duration", "until", "event")
_AT = Port(EXPIRED, "object", "`{at}`, when the time has come before anybody called.")


class EventConfig(NodeConfig):
    """What is called for."""

    schema_: dict[str, Any] | None = Field(
        default=None, alias="schema", description="JSON Schema (2020-12) of an object, which the body must fit."
    )


class WaitConfig(NodeConfig):
    """Config of `wait`."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"event": {"schema": {"type": "object"}}, "timeout": "1h"}, {"duration": "2d"}]}
    )

    duration: Annotated[Duration | None, TEMPLATED] = Field(default=None, description="Wait for so long.")
    until: Annotated[str | None, TEMPLATED] = Field(
        default=None,
        description="Wait until this time (ISO 8601, in UTC without an offset); one that has passed is no wait.",
        examples=["{{ inputs.at }}"],
    )
    event: EventConfig | None = Field(default=None, description="Wait for one call of the address.")
    timeout: Annotated[Duration | None, TEMPLATED] = Field(
        default=None, description="With `event`: how long; without it, 3650 days."
    )


class Wait(NodeType[WaitConfig]):
    """See the module."""

    name = "wait"
    summary = "Wait for a time, or for a call from outside; the run needs no worker meanwhile."
    config_model = WaitConfig
    light = True
    asks = True
    chooses = True
    takes_foreach = False

    def ports(self, config: WaitConfig) -> Ports:
        if config.event is None:
            return Ports((), (_AT,))
        given = "The URL to call once, by POST with a JSON body; given when the node begins to wait, before it ends."
        event = Port("event", "object", "`{body, at}` of the call.")
        return Ports((), (Port(ADDRESS, "string", given), event, _AT))

    def defects(self, config: WaitConfig) -> Iterator[Issue]:
        ways = [name for name in _WAYS if getattr(config, name) is not None]
        if len(ways) != 1:
            yield Issue("bad_value", "", f"a wait has one of {', '.join(f'`{name}`' for name in _WAYS)}")
        elif config.event is None and config.timeout is not None:
            yield Issue("bad_value", "/timeout", "`timeout` means nothing without `event`", at_key=True)
        if config.event is not None and config.event.schema_ is not None:
            for place, code, message in schema_defects(config.event.schema_):
                yield Issue(code, f"/event/schema{place}", message)

    def asking(self, config: WaitConfig, now: float) -> Asking:
        if config.event is not None:
            seconds = LONGEST if config.timeout is None else config.timeout
            return Asking(WaitKind.EVENT, seconds, config.event.schema_)
        if config.duration is not None:
            return Asking(WaitKind.TIME, config.duration)
        assert config.until is not None
        return Asking(WaitKind.TIME, min(LONGEST, max(0.0, _time_of(config.until) - now)))

    def answered(self, answer: Answer | None, at: float) -> Mapping[str, Any]:
        if answer is None:
            return {EXPIRED: {"at": moment(at)}}
        return {"event": {"body": answer.value, "at": moment(answer.at)}}

    def execute(self, call: NodeCall[WaitConfig]) -> Mapping[str, Any]:
        raise NodeError("internal_error", "a wait is not executed")


def _time_of(text: str) -> float:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise BadValue(f"until: {text!r} is no time in ISO 8601") from None
    return (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp()

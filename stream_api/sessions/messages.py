"""The messages of the WebSocket protocol. A server's message without `op` is an event; AsyncAPI is made from these."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from platform_core.errors import BadMessage

Label = Annotated[str, Field(min_length=1, max_length=64, description="The subscription, as the client calls it.")]
Cursor = Annotated[str, Field(max_length=200_000, description="Where to go on: opaque, from an event or the server.")]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Filters(_Message):
    """What is wanted of the events. The final event of a run always comes."""

    types: list[str] | None = Field(default=None, description="Event types, or groups of them such as `node.*`.")
    nodes: list[str] | None = Field(default=None, description="Only events of these nodes.")
    level: str | None = Field(default=None, description="At least this level.")


class Authenticate(_Message):
    """Says who the client is, within ten seconds where the request did not; later it renews an expiring token."""

    op: Literal["authenticate"]
    token: Annotated[str, Field(max_length=4096, description="A bearer token, API key or watch token.")]


class Subscribe(_Message):
    """Follows one run, all runs of a graph, or all runs of the user; a run is followed from the cursor on.

    Without a cursor a run comes from its beginning, a graph or `mine` with the runs that have not ended.
    """

    op: Literal["subscribe"]
    id: Label
    run: Annotated[str | None, Field(max_length=100)] = None
    graph: Annotated[str | None, Field(max_length=200, description="Name or id; an admin's `owner~name`.")] = None
    mine: bool = False
    cursor: Cursor | None = None
    filters: Filters = Filters()
    window: Annotated[int | None, Field(ge=1, le=100_000)] = Field(
        default=None, description="Most events to be sent ahead of their `ack`; without it TCP alone holds back."
    )

    @model_validator(mode="after")
    def _names_one_thing(self) -> Subscribe:
        if (self.run is not None) + (self.graph is not None) + self.mine != 1:
            raise ValueError("name one of run, graph and mine")
        return self


class Unsubscribe(_Message):
    """Ends a subscription; its last cursor comes with `unsubscribed`."""

    op: Literal["unsubscribe"]
    id: Label


class Ack(_Message):
    """So many more events of the subscription were taken in; the server may send as many again."""

    op: Literal["ack"]
    id: Annotated[str | None, Field(max_length=64, description="None where the socket follows one run.")] = None
    count: Annotated[int, Field(ge=1, le=1_000_000)]


class Ping(_Message):
    """Asks for a `pong`, for clients that cannot see WebSocket's own pings."""

    op: Literal["ping"]
    data: Annotated[str | None, Field(max_length=200)] = None


class Cancel(_Message):
    """Asks for the cancellation of a run; needs the scope runs:write."""

    op: Literal["cancel"]
    run: Annotated[str, Field(max_length=100)]


ClientMessage = Authenticate | Subscribe | Unsubscribe | Ack | Ping | Cancel
_CLIENT: TypeAdapter[ClientMessage] = TypeAdapter(Annotated[ClientMessage, Field(discriminator="op")])


class Ready(_Message):
    """The client is known; subscriptions may come."""

    op: Literal["ready"] = "ready"
    user: str


class Subscribed(_Message):
    """The subscription holds; its events follow."""

    op: Literal["subscribed"] = "subscribed"
    id: str


class Position(_Message):
    """Of a graph or `mine`: everything before this cursor was sent. Comes at most once a second."""

    op: Literal["position"] = "position"
    id: str
    cursor: str


class Unsubscribed(_Message):
    """The subscription has ended: `final`, `requested`, `purged` or the code of an error."""

    op: Literal["unsubscribed"] = "unsubscribed"
    id: str
    reason: str
    detail: str
    cursor: str | None


class GoingAway(_Message):
    """The server closes the socket next; subscribe elsewhere with these cursors, by subscription."""

    op: Literal["going_away"] = "going_away"
    reason: str
    detail: str
    cursors: dict[str, str | None]


class Refusal(_Message):
    """A message was refused; the socket stays open unless a close follows."""

    op: Literal["error"] = "error"
    id: str | None
    code: str
    detail: str


class Pong(_Message):
    """The answer to `ping`."""

    op: Literal["pong"] = "pong"
    data: str | None


class Canceling(_Message):
    """The cancellation was asked for; the run's events tell when it has ended."""

    op: Literal["canceling"] = "canceling"
    run: str


SERVER_MESSAGES: tuple[type[BaseModel], ...] = (
    Ready,
    Subscribed,
    Position,
    Unsubscribed,
    GoingAway,
    Refusal,
    Pong,
    Canceling,
)
CLIENT_MESSAGES: tuple[type[BaseModel], ...] = (Authenticate, Subscribe, Unsubscribe, Ack, Ping, Cancel)
ServerMessage = Ready | Subscribed | Position | Unsubscribed | GoingAway | Refusal | Pong | Canceling


def parse(text: str) -> ClientMessage:
    """A client's message. Raises `BadMessage` that says what is wrong with it."""
    try:
        return _CLIENT.validate_json(text)
    except ValidationError as error:
        first: Any = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"][1:])
        raise BadMessage(f"{place + ': ' if place else ''}{first['msg']}") from None

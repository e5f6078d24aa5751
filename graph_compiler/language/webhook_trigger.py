"""Webhook triggers in the document: an address, who may call it, what a call brings, and what it is answered."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, StringConstraints, Tag
from pydantic_core import PydanticCustomError

from graph_compiler.language.webhook_verify import HeaderName, VerifySpec
from graph_compiler.values.durations import Duration
from graph_compiler.values.model import Identifier, Model, TriggerId

WAIT = 30.0
"""Seconds an answer waits for the end of the run, unless a trigger says otherwise."""

RESERVED_HEADERS = frozenset(
    [
        "set-cookie",
        "set-cookie2",
        "clear-site-data",
        "strict-transport-security",
        "service-worker-allowed",
        "alt-svc",
        "public-key-pins",
        "x-content-type-options",
        "x-frame-options",
        "refresh",
        "sourcemap",
        "speculation-rules",
        "reporting-endpoints",
        "report-to",
        "nel",
        "origin-agent-cluster",
        "connection",
        "keep-alive",
        "upgrade",
        "content-length",
        "transfer-encoding",
        "trailer",
        "te",
        "x-request-id",
    ]
)
"""What an answer made by a graph may not say: it would hold for the whole server, or for how the answer is sent."""

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


def _network(text: str) -> str:
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        raise PydanticCustomError("bad_value", "{reason}", {"reason": str(error)}) from None
    return text


def _distinct(values: list[Any]) -> list[Any]:
    if len(set(values)) != len(values):
        raise PydanticCustomError("bad_value", "an element stands here twice")
    return values


Network = Annotated[str, AfterValidator(_network)]
Origin = Annotated[str, StringConstraints(pattern=r"^(\*|https?://[^\s/?#*]+)$")]


class ChallengeSpec(Model):
    """A GET that proves that the address is ours: the parameter's value comes back as text, before any run."""

    query: str = Field(min_length=1, max_length=100, examples=["hub.challenge"])
    token_query: str | None = Field(
        default=None, min_length=1, max_length=100, description="The parameter that has to carry a secret."
    )
    token_secret: Identifier | None = Field(default=None, description="Name of that secret.")


class RateLimitSpec(Model):
    """Verified calls per period, in all processes together; a burst may use the whole period's at once."""

    requests: int = Field(ge=1, le=1_000_000)
    per: Duration = Field(default=60.0, gt=0)


class ResultAnswer(Model):
    """Wait for the run and answer its outputs; after `wait` 202 and where to look."""

    mode: Literal["result"]
    wait: Duration = Field(default=WAIT, description="At most the server's HEADRACE_MAX_WAIT.")


class CustomAnswer(Model):
    """Wait for the run and answer what these templates make of it; they see outputs, run and trigger."""

    mode: Literal["custom"]
    wait: Duration = Field(default=WAIT, description="At most the server's HEADRACE_MAX_WAIT.")
    status: int = Field(default=200, ge=200, le=599)
    headers: dict[HeaderName, str] = Field(default_factory=dict, max_length=50)
    body: Any = Field(default=None, description="Text is sent as text, bytes as they are, anything else as JSON.")


def _kind_of_answer(value: Any) -> str | None:
    if isinstance(value, str):
        return "name"
    mode = value.get("mode") if isinstance(value, dict) else getattr(value, "mode", None)
    return mode if mode in ("result", "custom") else None


RespondSpec = Annotated[
    Annotated[Literal["accepted", "result", "stream"], Tag("name")]
    | Annotated[ResultAnswer, Tag("result")]
    | Annotated[CustomAnswer, Tag("custom")],
    Discriminator(
        _kind_of_answer,
        custom_error_type="bad_value",
        custom_error_message="expected accepted, result, stream, or an object whose `mode` is result or custom",
    ),
]


class WebhookTrigger(Model):
    """A URL that starts a run for each verified call."""

    id: TriggerId
    type: Literal["webhook"]
    enabled: bool = Field(default=True, description="Whether calls start runs from the first save on.")
    verify: VerifySpec = Field(description="How a call proves who sent it; `scheme: none` has to be said.")
    methods: Annotated[list[Method], Field(min_length=1), AfterValidator(_distinct)] = Field(
        default=["POST"], description="Other methods are answered 405."
    )
    subpath: bool = Field(default=False, description="Whether the address may be continued; templates see it as path.")
    allow_ips: Annotated[list[Network], Field(min_length=1, max_length=500)] | None = Field(
        default=None, description="Networks that may call; without it, all.", examples=[["192.30.252.0/22"]]
    )
    cors: Annotated[list[Origin], Field(min_length=1, max_length=100)] | None = Field(
        default=None, description="Origins whose scripts may call; without it, none.", examples=[["https://shop.test"]]
    )
    challenge: ChallengeSpec | None = None
    max_body: int | None = Field(default=None, ge=0, description="Most bytes of a body, if less than the server's.")
    rate_limit: RateLimitSpec | None = None
    body: Literal["auto", "json", "form", "multipart", "text", "xml", "bytes"] = Field(
        default="auto", description="What a body has to be; `auto` goes by its content type."
    )
    delivery_id: str | None = Field(
        default=None,
        description="A template of an id by which a call that is sent again is known; without it, the sender's header.",
        examples=["{{ body.id }}"],
    )
    filter: str | None = Field(
        default=None,
        description="A template that gives true or false; false answers 204 and starts no run.",
        examples=["{{ body.ref == 'refs/heads/main' }}"],
    )
    params: dict[str, Any] = Field(
        default_factory=dict,
        description="The run's params; templates see headers, query, path, method, body and trigger.",
        examples=[{"repository": "{{ body.repository.full_name }}"}],
    )
    respond: RespondSpec = Field(default="accepted", description="Answer 202 once the run is stored, or more.")

    def secret_names(self) -> list[str]:
        """The names of the owner's secrets that calls are checked with, the present one first."""
        verify = [getattr(self.verify, key, None) for key in ("secret", "previous_secret")]
        challenge = self.challenge.token_secret if self.challenge else None
        return [name for name in (*verify, challenge) if name is not None]

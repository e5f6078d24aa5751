"""`publish`: a message by a broker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from graph_compiler.nodes.node_type import (
    NAMES_SECRET,
    TEMPLATED,
    FailureKind,
    NodeCall,
    NodeConfig,
    NodeType,
    Port,
    Ports,
)
from graph_compiler.nodes.runtime import Message
from graph_compiler.values.durations import Duration
from graph_compiler.values.errors import NodeError
from graph_compiler.values.values import as_text

MAX_BODY = 1024 * 1024


class PublishConfig(NodeConfig):
    """Config of `publish`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "broker": "events_url",
                    "topic": "orders.paid",
                    "body": "{{ inputs.order }}",
                    "key": "{{ inputs.order.id }}",
                }
            ]
        }
    )

    broker: str = Field(
        json_schema_extra=NAMES_SECRET,
        description=(
            "Name of the secret with the address: `amqp(s)://`, `redis(s)://`, `kafka://`, `nats://` or `tls://`"
            " (NATS)."
        ),
    )
    topic: Annotated[str, Field(min_length=1, max_length=255), TEMPLATED] = Field(
        description="Routing key or queue (AMQP), stream (Redis), topic (Kafka), subject (NATS)."
    )
    body: Annotated[Any, TEMPLATED] = Field(description="The message; what is no text and no bytes is written as JSON.")
    key: Annotated[Any, TEMPLATED] = Field(
        default=None, description="Kafka's key, AMQP's correlation id, a field (Redis) or header (NATS) `key`."
    )
    headers: Annotated[dict[str, str], TEMPLATED] = Field(
        default_factory=dict, description="Headers by name; in Redis, fields of the entry."
    )
    exchange: Annotated[str, TEMPLATED] = Field(
        default="", description="AMQP's exchange; the default one takes a queue's name as topic."
    )
    timeout: Duration = Field(default=10.0, description="Until the broker has confirmed.")


class Publish(NodeType[PublishConfig]):
    """See the module."""

    name = "publish"
    summary = "Publish a message to AMQP, a Redis stream, Kafka or NATS."
    config_model = PublishConfig
    notes = (
        "It ends when the broker has confirmed: AMQP by a publisher confirm of a persistent message that a queue"
        " took, Redis by the"
        " entry's id, Kafka by all replicas in sync, NATS by JetStream, or without a stream by a flush. A retry may"
        " publish twice."
        " Clients are extras of the installation: `headrace[amqp]`, `[redis]`, `[kafka]`, `[nats]`."
    )
    failures = (
        FailureKind("publish_bad_url", "The secret is not a broker's address."),
        FailureKind("publish_unavailable", "The installation has no client for this broker."),
        FailureKind("publish_too_large", "The body has more than 1 MiB."),
        FailureKind("publish_refused", "The broker refuses the login or the message, or nothing takes it."),
        FailureKind("publish_unreachable", "The broker cannot be reached, or did not confirm in time.", True),
    )

    def ports(self, config: PublishConfig) -> Ports:
        return Ports(
            inputs=(),
            outputs=(
                Port(
                    "message_id",
                    "any",
                    "Redis: the entry; Kafka: partition:offset; JetStream: stream:sequence; else null.",
                ),
            ),
        )

    def execute(self, call: NodeCall[PublishConfig]) -> Mapping[str, Any]:
        config = call.config
        body = config.body if isinstance(config.body, bytes) else as_text(config.body).encode()
        if len(body) > MAX_BODY:
            raise NodeError("publish_too_large", f"{len(body)} bytes; {MAX_BODY} are the limit", retryable=False)
        key = None if config.key is None else as_text(config.key)
        message = Message(config.topic, body, key, config.headers, config.exchange)
        timeout = config.timeout if call.timeout is None else min(config.timeout, call.timeout)
        return {"message_id": call.runtime.publish(call.runtime.secret(config.broker), message, timeout=timeout)}

"""Kafka by confluent-kafka (librdkafka): an idempotent producer that waits for all replicas in sync."""

from __future__ import annotations

from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from definitions.services.brokers import Broker, BrokerRefused, BrokerUnreachable
from graph_compiler.nodes.runtime import Message


def publish(broker: Broker, message: Message, timeout: float) -> str | None:
    """Produce to `message.topic`; the id is `partition:offset`."""
    outcome: list[tuple[KafkaError | None, Any]] = []
    try:
        producer = Producer(_settings(broker, timeout))
        producer.produce(
            message.topic,
            message.body,
            key=message.key,
            headers=[(name, value.encode()) for name, value in message.headers.items()],
            on_delivery=lambda error, sent: outcome.append((error, sent)),
        )
        producer.flush(timeout + 1.0)
    except (KafkaException, BufferError, ValueError) as error:
        raise BrokerRefused(f"the message cannot be produced: {type(error).__name__}") from None
    if not outcome:
        raise BrokerUnreachable("no confirmation in time")
    failure, sent = outcome[0]
    if failure is None:
        return f"{sent.partition()}:{sent.offset()}"
    if failure.code() in (KafkaError._MSG_TIMED_OUT, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN):
        raise BrokerUnreachable(failure.name())
    raise BrokerRefused(f"the broker refuses the message: {failure.name()}")


def _settings(broker: Broker, timeout: float) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "bootstrap.servers": f"{broker.host}:{broker.port}",
        "enable.idempotence": True,
        "message.timeout.ms": int(timeout * 1000),
        "log_level": 0,
    }
    if broker.username:
        settings |= {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "PLAIN",
            "sasl.username": broker.username,
            "sasl.password": broker.password,
        }
    return settings

"""Publishes messages by the broker that a secret names, and returns when the broker has confirmed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from urllib.parse import SplitResult, unquote, urlsplit

from definitions.services.service_targets import ServiceRefused, pinned_address
from graph_compiler.nodes.runtime import Message
from graph_compiler.values.errors import NodeError


@dataclass(frozen=True)
class Broker:
    """A broker's address in parts; `address` is the checked one of `host`."""

    scheme: str
    host: str
    address: str
    port: int
    username: str
    password: str
    path: str

    @property
    def is_encrypted(self) -> bool:
        return self.scheme in ("amqps", "rediss", "tls")


class BrokerRefused(Exception):
    """The broker answered, and does not take the message."""


class BrokerUnreachable(Exception):
    """The broker does not answer, or broke off."""


Publish = Callable[[Broker, Message, float], str | None]

_BROKERS: Mapping[str, tuple[str, int, str]] = {
    "amqp": ("amqp_broker", 5672, "amqp"),
    "amqps": ("amqp_broker", 5671, "amqp"),
    "redis": ("redis_broker", 6379, "redis"),
    "rediss": ("redis_broker", 6379, "redis"),
    "kafka": ("kafka_broker", 9092, "kafka"),
    "nats": ("nats_broker", 4222, "nats"),
    "tls": ("nats_broker", 4222, "nats"),
}
"""By scheme: our module, the usual port, the extra that installs the client."""


def publish(url: str, message: Message, *, timeout: float, allow_private: bool) -> str | None:
    """Publish and wait for the confirmation; the id that the broker gave, if any. Raises `NodeError` publish_*."""
    parts = _parts(url)
    module, port, extra = _BROKERS[parts.scheme]
    send = _client(module, extra)
    try:
        address = pinned_address(parts.hostname or "", parts.port or port, allow_private=allow_private)
        broker = Broker(
            parts.scheme,
            parts.hostname or "",
            address,
            parts.port or port,
            unquote(parts.username or ""),
            unquote(parts.password or ""),
            unquote(parts.path.removeprefix("/")),
        )
        return send(broker, message, timeout)
    except ServiceRefused:
        said = "the broker's address is not public; private ones are not allowed here"
        raise NodeError("publish_refused", said, retryable=False) from None
    except BrokerRefused as error:
        raise NodeError("publish_refused", str(error), retryable=False) from None
    except BrokerUnreachable as error:
        raise NodeError("publish_unreachable", f"the broker cannot be reached, or broke off: {error}") from None
    except OSError as error:
        said = f"the broker cannot be reached: {type(error).__name__}"
        raise NodeError("publish_unreachable", said) from None


def _client(module: str, extra: str) -> Publish:
    try:
        send: Publish = import_module(f"definitions.{module}").publish
    except ImportError:
        said = f"this installation has no client for it; install headrace[{extra}]"
        raise NodeError("publish_unavailable", said, retryable=False) from None
    return send


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in _BROKERS and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        said = f"the secret is not a broker's address; known are {', '.join(_BROKERS)}"
        raise NodeError("publish_bad_url", said, retryable=False)
    return parts

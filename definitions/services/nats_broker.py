"""NATS by nats-py: a JetStream acknowledgement if a stream takes the subject, else a flushed publication."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoServersError
from nats.js.errors import NoStreamResponseError

from definitions.services.brokers import Broker, BrokerRefused, BrokerUnreachable, words
from graph_compiler.nodes.runtime import Message
from graph_compiler.values.texts import shortened


def publish(broker: Broker, message: Message, timeout: float) -> str | None:
    """Publish to the subject; the id is `stream:sequence` if a stream kept the message."""
    try:
        return asyncio.run(asyncio.wait_for(_publish(broker, message, timeout), timeout + 1.0))
    except TimeoutError:
        raise BrokerUnreachable("no confirmation in time") from None
    except (NoServersError, OSError) as error:
        raise BrokerUnreachable(words(error)) from None
    except NatsError as error:
        said = str(error)
        if "authorization" in said.lower():
            raise BrokerRefused("the broker refuses the login") from None
        raise BrokerRefused(f"the broker refuses the message: {shortened(said, 200)}") from None


async def _publish(broker: Broker, message: Message, seconds: float) -> str | None:
    failures: list[Exception] = []

    async def note(error: Exception) -> None:
        failures.append(error)

    client = Client()
    try:
        try:
            await _connect(client, broker, seconds, note)
        except (ConnectionResetError, BrokenPipeError):
            # A server that refuses a login says so and closes; the reset may overtake what it said.
            client = Client()
            await _connect(client, broker, seconds, note)
        headers = dict(message.headers) | ({"key": message.key} if message.key is not None else {})
        try:
            kept = await client.jetstream(timeout=seconds).publish(message.topic, message.body, headers=headers or None)
        except NoStreamResponseError:
            await client.flush(max(1, int(seconds)))
        else:
            return f"{kept.stream}:{kept.seq}"
    finally:
        with suppress(NatsError, OSError):
            await client.close()
    if failures:
        raise failures[0]
    return None


async def _connect(
    client: Client, broker: Broker, seconds: float, note: Callable[[Exception], Coroutine[Any, Any, None]]
) -> None:
    encrypted = broker.is_encrypted
    await client.connect(
        f"{'tls' if encrypted else 'nats'}://{broker.address}:{broker.port}",
        user=broker.username or None,
        password=broker.password or None,
        tls=ssl.create_default_context() if encrypted else None,
        tls_hostname=broker.host if encrypted else None,
        connect_timeout=max(1, int(seconds)),
        allow_reconnect=False,
        max_reconnect_attempts=0,
        error_cb=note,
    )

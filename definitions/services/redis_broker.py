"""Redis streams by redis-py: XADD, whose answer is the confirmation."""

from __future__ import annotations

import redis

from definitions.services.brokers import Broker, BrokerRefused, BrokerUnreachable
from graph_compiler.nodes.runtime import Message


def publish(broker: Broker, message: Message, timeout: float) -> str | None:
    """Add to the stream `message.topic`: fields `body`, `key`, and the headers by their names. The entry's id."""
    fields: dict[str, str | bytes] = {**message.headers, "body": message.body}
    if message.key is not None:
        fields["key"] = message.key
    try:
        with _client(broker, timeout) as client:
            return str(client.xadd(message.topic, fields).decode())
    except redis.AuthenticationError:
        raise BrokerRefused("the broker refuses the login") from None
    except redis.ResponseError as error:
        raise BrokerRefused(f"the broker refuses the message: {str(error)[:200]}") from None
    except redis.RedisError as error:
        raise BrokerUnreachable(type(error).__name__) from None


def _client(broker: Broker, timeout: float) -> redis.Redis:
    return redis.Redis(
        host=broker.host if broker.is_encrypted else broker.address,
        port=broker.port,
        db=int(broker.path) if broker.path.isdigit() else 0,
        username=broker.username or None,
        password=broker.password or None,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        ssl=broker.is_encrypted,
    )

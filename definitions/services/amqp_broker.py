"""AMQP 0-9-1 (RabbitMQ) by pika: persistent messages, confirmed by the broker, refused if no queue takes them."""

from __future__ import annotations

import ssl

import pika
from pika.delivery_mode import DeliveryMode
from pika.exceptions import AMQPError, ChannelClosedByBroker, NackError, ProbableAuthenticationError, UnroutableError

from definitions.services.brokers import Broker, BrokerRefused, BrokerUnreachable
from graph_compiler.nodes.runtime import Message


def publish(broker: Broker, message: Message, timeout: float) -> str | None:
    """Publish to `message.exchange` ("" is the default one, where the topic is a queue's name)."""
    try:
        with pika.BlockingConnection(_parameters(broker, timeout)) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.basic_publish(
                message.exchange,
                message.topic,
                message.body,
                pika.BasicProperties(
                    delivery_mode=DeliveryMode.Persistent, headers=dict(message.headers), correlation_id=message.key
                ),
                mandatory=True,
            )
    except (UnroutableError, NackError):
        raise BrokerRefused("no queue takes the message") from None
    except ChannelClosedByBroker as error:
        raise BrokerRefused(f"the broker refuses the message: {error.reply_text[:200]}") from None
    except ProbableAuthenticationError:
        raise BrokerRefused("the broker refuses the login") from None
    except AMQPError as error:
        raise BrokerUnreachable(type(error).__name__) from None
    return None


def _parameters(broker: Broker, timeout: float) -> pika.ConnectionParameters:
    return pika.ConnectionParameters(
        host=broker.address,
        port=broker.port,
        virtual_host=broker.path or "/",
        credentials=pika.PlainCredentials(broker.username or "guest", broker.password or "guest"),
        ssl_options=pika.SSLOptions(ssl.create_default_context(), broker.host) if broker.is_encrypted else None,
        connection_attempts=1,
        socket_timeout=timeout,
        stack_timeout=timeout,
        blocked_connection_timeout=timeout,
    )

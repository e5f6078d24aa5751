"""Calls of webhooks: by which method, from which script, how often; and what is stored of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy.engine import Engine

from platform_core.database.engine import build_engine
from platform_core.identity.keys import KeyRing
from platform_core.operation.metrics import Metrics
from platform_core.secret_sources.outside import OutsideSecrets
from platform_core.settings import Settings
from platform_core.web.services import Services
from tests.integration.trigger_api.conftest import API, another_process, assert_problem
from tests.integration.trigger_api.webhooks.graphs import (
    JSON,
    SECRET,
    params_of_runs,
    save_webhook,
    stored,
    verify_of,
    webhook_document,
)
from tests.serving import served
from trigger_api.app import create_app
from trigger_api.live.known_webhooks import KnownWebhooks
from trigger_api.shared.graph_access import SpecCache


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
    webhooks = KnownWebhooks(Services(settings, engine, keys, Metrics()), SpecCache(), OutsideSecrets([]), size=2)
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

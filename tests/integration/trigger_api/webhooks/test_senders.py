"""Who sends a call: signatures, secrets, networks and addresses, in every process of the API."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from platform_core.identity.keys import KeyRing
from platform_core.settings import Settings
from tests.integration.trigger_api.conftest import API, another_process, assert_problem
from tests.integration.trigger_api.webhooks.graphs import (
    BODY,
    JSON,
    SECRET,
    params_of_runs,
    save_webhook,
    stored,
    verify_of,
)
from tests.webhook_signing import SCHEMES, secret_for, signed


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


def test_a_secret_in_a_file_of_the_operator_counts_and_so_does_its_change(
    ada: httpx.Client,
    settings: Settings,
    engine: Engine,
    keys: KeyRing,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    webhook = save_webhook(ada, verify=verify_of("bearer"))
    ada.delete(f"{API}/secrets/webhook_secret").raise_for_status()
    mounted = settings.model_copy(
        update={"secrets_folder": tmp_path, "shared_secrets": {"webhook_secret": ["ada"], "others": ["bob"]}}
    )
    monkeypatch.setattr("trigger_api.live.known_webhooks.KEPT_SECONDS", 0.0)
    with another_process(mounted, engine, keys) as other:

        def code(secret: str) -> int:
            return other.post(webhook, content=BODY, headers=JSON | {"Authorization": f"Bearer {secret}"}).status_code

        assert code("first") == 401
        for secret, former in (("first", "none"), ("second", "first")):
            (tmp_path / "webhook_secret").write_text(secret + "\n")
            assert (code(secret), code(former)) == (202, 401)
        ada.put(f"{API}/secrets/webhook_secret", json={"value": "stored"})
        assert (code("stored"), code("second")) == (202, 401)


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


def test_slack_asks_with_a_signature(ada: httpx.Client, anonymous: httpx.Client, engine: Engine) -> None:
    webhook = save_webhook(ada, verify=verify_of("slack"))
    body = b'{"type": "url_verification", "challenge": "3eZbrw"}'
    assert_problem(anonymous.post(webhook, content=body, headers=JSON), 401, "bad_signature")
    known = anonymous.post(webhook, content=b"{}", headers=JSON | signed("slack", SECRET, b"{}"))
    assert known.status_code == 202
    answer = anonymous.post(webhook, content=body, headers=JSON | signed("slack", SECRET, body))
    assert (answer.status_code, answer.text, len(stored(engine))) == (200, "3eZbrw", 1)
    assert 'headrace_deliveries_total{verdict="challenge"} 1.0' in anonymous.get("/metrics").text

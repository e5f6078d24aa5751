"""Which calls are one delivery, and which a filter lets through."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy.engine import Engine

from tests.integration.trigger_api.conftest import API, assert_problem
from tests.integration.trigger_api.webhooks.graphs import (
    JSON,
    SECRET,
    params_of_runs,
    save_webhook,
    stored,
    verify_of,
    webhook_document,
)
from tests.webhook_signing import secret_for, signed


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

"""Webhooks: recorded GitHub deliveries, signed, forged, repeated and unfit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from platform_core.database.tables import deliveries, runs
from tests.integration.trigger_api.conftest import API, assert_problem, document
from tests.webhook_signing import github_signature as sign

SECRET = "a shared secret"
PAYLOADS = sorted((Path(__file__).parents[3] / "data" / "github-webhooks").glob("*.json"))
PUSH = b'{"sender": {"login": "ada"}}'


def graph(**changes: Any) -> dict[str, Any]:
    """A graph whose webhook takes the sender's name from the body."""
    webhook = {
        "id": "on-event",
        "type": "webhook",
        "verify": {"scheme": "github", "secret": "gh_webhook"},
        "params": {"sender": "{{ body.sender.login }}", "event": "{{ headers['x-github-event'] }}"},
    }
    text = {"type": "string"}
    return document(
        params={"type": "object", "properties": {"sender": text, "event": text}, "required": ["sender", "event"]},
        nodes=[{"id": "grind", "type": "transform", "config": {"value": "{{ params.sender }}"}}],
        triggers=[webhook | changes],
    )


def save(ada: httpx.Client, **changes: Any) -> str:
    """Save the graph and return the path of its webhook."""
    ada.put(f"{API}/secrets/gh_webhook", json={"value": SECRET})
    saved = ada.put(f"{API}/graphs/mill", json=graph(**changes)).json()
    return urlsplit(str(saved["triggers"][0]["url"])).path


def headers(body: bytes, delivery: str = "d-1", event: str = "push", **more: str) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "X-GitHub-Delivery": delivery,
        "X-GitHub-Event": event,
        "X-Hub-Signature-256": sign(SECRET, body),
        **more,
    }


def stored(engine: Engine) -> list[Mapping[str, Any]]:
    with engine.connect() as connection:
        query = sa.select(deliveries).order_by(deliveries.c.received_at)
        return [dict(row._mapping) for row in connection.execute(query)]


def count_runs(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(runs)).scalar_one())


def test_there_are_eighteen_recorded_payloads() -> None:
    assert len(PAYLOADS) == 18


def test_every_recorded_payload_is_taken_when_signed_and_refused_when_a_byte_differs(
    ada: httpx.Client, anonymous: httpx.Client, engine: Engine
) -> None:
    webhook = save(ada)
    for payload in PAYLOADS:
        body = payload.read_bytes()
        signed = headers(body, delivery=payload.name, event=payload.name.partition(".")[0])
        middle = len(body) // 2
        forged = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
        assert_problem(anonymous.post(webhook, content=forged, headers=signed), 401, "bad_signature")
        accepted = anonymous.post(webhook, content=body, headers=signed)
        assert accepted.status_code == 202, accepted.text
        run = ada.get(f"{API}/runs/{accepted.json()['run_id']}").json()
        assert run["trigger"] == {"kind": "webhook", "id": "on-event"}
        sender = json.loads(body)["sender"]["login"]
        assert run["params"] == {"sender": sender, "event": payload.name.partition(".")[0]}
    assert [row["body"] for row in stored(engine)] == [payload.read_bytes() for payload in PAYLOADS]
    assert count_runs(engine) == len(PAYLOADS)


def test_a_delivery_is_answered_with_its_run_and_again_with_the_same(
    ada: httpx.Client, anonymous: httpx.Client, engine: Engine
) -> None:
    webhook = save(ada)
    first = anonymous.post(webhook, content=PUSH, headers=headers(PUSH))
    again = anonymous.post(webhook, content=PUSH, headers=headers(PUSH))
    run_id = first.json()["run_id"]
    here = f"http://headrace.test/api/v1/runs/{run_id}"
    assert first.status_code == again.status_code == 202
    assert first.json() == {
        "delivery_id": "d-1",
        "run_id": run_id,
        "duplicate": False,
        "links": {
            "self": here,
            "events": f"{here}/events",
            "files": f"{here}/files",
            "websocket": f"ws://headrace.test/api/v1/runs/{run_id}/ws",
            "delivery": f"http://headrace.test/api/v1/deliveries/{stored(engine)[0]['id']}",
            "watch": f"http://headrace.test/watch/{run_id}",
        },
    }
    assert first.headers["Location"] == here
    assert again.json() == first.json() | {"duplicate": True}
    (delivery,) = stored(engine)
    assert (delivery["verdict"], delivery["run_id"], delivery["body"]) == ("accepted", run_id, PUSH)


def test_identical_deliveries_at_the_same_time_are_one_run(
    ada: httpx.Client, anonymous: httpx.Client, engine: Engine
) -> None:
    webhook = save(ada)

    def deliver(_: int) -> tuple[str, bool]:
        answer = anonymous.post(webhook, content=PUSH, headers=headers(PUSH)).json()
        return answer["run_id"], answer["duplicate"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(deliver, range(8)))
    assert len({run_id for run_id, _ in answers}) == 1
    assert sorted(duplicate for _, duplicate in answers) == [False] + [True] * 7
    assert count_runs(engine) == 1


def test_a_missing_or_wrong_signature_stores_nothing_but_the_count(
    ada: httpx.Client, anonymous: httpx.Client, engine: Engine
) -> None:
    webhook = save(ada)
    right = sign(SECRET, PUSH)
    wrong = [
        None,
        "",
        "sha256=",
        "sha256=" + "0" * 64,
        sign("another secret", PUSH),
        right.upper(),
        right + "0",
        "\xff",
    ]
    for signature in wrong:
        offered = {name.encode(): value.encode("latin-1") for name, value in headers(PUSH).items()}
        del offered[b"X-Hub-Signature-256"]
        if signature is not None:
            offered[b"X-Hub-Signature-256"] = signature.encode("latin-1")
        assert_problem(anonymous.post(webhook, content=PUSH, headers=offered), 401, "bad_signature")
    assert (stored(engine), count_runs(engine)) == ([], 0)
    assert f'headrace_deliveries_total{{verdict="bad_signature"}} {len(wrong)}.0' in anonymous.get("/metrics").text


def test_without_its_secret_a_webhook_trusts_nobody(ada: httpx.Client, anonymous: httpx.Client, engine: Engine) -> None:
    webhook = save(ada)
    ada.delete(f"{API}/secrets/gh_webhook")
    for key in (SECRET, "", "None"):
        forged = headers(PUSH) | {"X-Hub-Signature-256": sign(key, PUSH)}
        assert_problem(anonymous.post(webhook, content=PUSH, headers=forged), 401, "bad_signature")
    assert stored(engine) == []


def test_an_address_that_is_not_ours_or_of_a_deleted_graph_is_unknown(
    ada: httpx.Client, anonymous: httpx.Client
) -> None:
    webhook = save(ada)
    assert_problem(anonymous.post("/hooks/guess", content=PUSH, headers=headers(PUSH)), 404, "hook_not_found")
    ada.delete(f"{API}/graphs/mill")
    assert_problem(anonymous.post(webhook, content=PUSH, headers=headers(PUSH)), 404, "hook_not_found")


def test_a_delivery_needs_its_id(ada: httpx.Client, anonymous: httpx.Client, engine: Engine) -> None:
    webhook = save(ada)
    without = headers(PUSH)
    del without["X-GitHub-Delivery"]
    for offered in (without, headers(PUSH, delivery=""), headers(PUSH, delivery="x" * 201)):
        assert_problem(anonymous.post(webhook, content=PUSH, headers=offered), 400, "missing_delivery_id")
    assert stored(engine) == []


def test_a_disabled_trigger_takes_nothing(ada: httpx.Client, anonymous: httpx.Client, engine: Engine) -> None:
    webhook = save(ada, enabled=False)
    assert_problem(anonymous.post(webhook, content=PUSH, headers=headers(PUSH)), 409, "trigger_disabled")
    assert stored(engine) == []


def test_a_delivery_that_does_not_fit_is_kept_as_refused_with_its_issues(
    ada: httpx.Client, anonymous: httpx.Client, engine: Engine
) -> None:
    webhook = save(ada)
    kept: list[tuple[bytes, str, Any, None]] = []
    for body in (b"{", b"", b"NaN", b"{}", b'{"sender": {"login": 5}}', b"[]"):
        refused = anonymous.post(webhook, content=body, headers=headers(body, delivery=f"d{len(kept)}"))
        issues = assert_problem(refused, 422, "invalid_params")["issues"]
        assert issues
        kept.append((body, "refused", issues, None))
    assert [(row["body"], row["verdict"], row["issues"], row["run_id"]) for row in stored(engine)] == kept
    assert count_runs(engine) == 0


def test_a_refused_delivery_sent_again_after_the_graph_was_mended_runs(
    ada: httpx.Client, anonymous: httpx.Client, engine: Engine
) -> None:
    webhook = save(ada, params={"sender": "{{ body.sender.login }}", "event": "{{ body.event }}"})
    assert_problem(anonymous.post(webhook, content=PUSH, headers=headers(PUSH)), 422, "invalid_params")
    assert save(ada) == webhook
    accepted = anonymous.post(webhook, content=PUSH, headers=headers(PUSH))
    assert (accepted.status_code, accepted.json()["duplicate"]) == (202, False)
    (delivery,) = stored(engine)
    assert (delivery["verdict"], delivery["issues"], delivery["run_id"]) == (
        "accepted",
        None,
        accepted.json()["run_id"],
    )


def test_github_may_send_a_form(ada: httpx.Client, anonymous: httpx.Client) -> None:
    webhook = save(ada)
    body = urlencode({"payload": PUSH.decode()}).encode()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert anonymous.post(webhook, content=body, headers=headers(body) | form).status_code == 202


def test_credentials_on_the_way_are_not_kept(ada: httpx.Client, anonymous: httpx.Client, engine: Engine) -> None:
    webhook = save(ada)
    anonymous.post(webhook, content=PUSH, headers=headers(PUSH, Authorization="Basic eDp5", Cookie="session=1"))
    (delivery,) = stored(engine)
    for name in ("authorization", "cookie", "x-hub-signature-256"):
        assert delivery["headers"][name] == "[masked]"
    assert delivery["headers"]["x-github-event"] == "push"


def test_too_large_a_delivery_is_refused_unread(ada: httpx.Client, anonymous: httpx.Client, engine: Engine) -> None:
    webhook = save(ada)
    body = b'"' + b"x" * 8 * 1024 * 1024 + b'"'
    assert_problem(anonymous.post(webhook, content=body, headers=headers(body)), 413, "too_large")
    assert stored(engine) == []

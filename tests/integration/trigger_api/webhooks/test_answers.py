"""What a call is answered: the result, a custom answer or a stream."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from platform_core.runs.retention_store import delete_runs
from tests.integration.trigger_api.conftest import assert_problem, end_run
from tests.integration.trigger_api.webhooks.graphs import (
    JSON,
    save_webhook,
    stored,
)
from tests.waiting import wait_until


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

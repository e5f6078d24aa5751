"""Timers over HTTP: listed with their next time, switched, looked ahead, fired by hand and run for the past."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy.engine import Engine

from tests.integration.trigger_api.conftest import API, Login, assert_problem, document

TRIGGERS = f"{API}/graphs/mill/triggers"
HOURLY = {"id": "hourly", "type": "schedule", "cron": "0 * * * *", "params": {"water": "{{ tick.hour }}"}}
MANUAL_WEBHOOK = {
    "id": "push",
    "type": "webhook",
    "verify": {"scheme": "github", "secret": "s"},
    "params": {"water": "{{ body.x }}"},
}


def save(client: httpx.Client, *triggers: dict[str, Any]) -> None:
    client.put(f"{API}/graphs/mill", json=document(triggers=list(triggers))).raise_for_status()


@pytest.fixture
def saved(ada: httpx.Client) -> httpx.Client:
    save(ada, HOURLY)
    return ada


def test_timers_are_listed_with_their_next_time(ada: httpx.Client) -> None:
    never = {"id": "never", "type": "schedule", "at": "2001-01-01", "params": {"water": 1}}
    save(ada, HOURLY, never, MANUAL_WEBHOOK)
    hourly, over, webhook = ada.get(TRIGGERS).json()["items"]
    now = datetime.now(UTC)
    following = datetime.fromisoformat(hourly.pop("next"))
    assert timedelta(0) < following - now + timedelta(minutes=1) <= timedelta(hours=1, minutes=1)
    assert (following.minute, following.second) == (0, 0)
    assert hourly == {
        "id": "hourly",
        "type": "schedule",
        "enabled": True,
        "timing": {"cron": "0 * * * *", "timezone": "UTC"},
    }
    assert over == {
        "id": "never",
        "type": "schedule",
        "enabled": True,
        "timing": {"at": "2001-01-01", "timezone": "UTC"},
    }
    assert (webhook["type"], "next" in webhook) == ("webhook", False)


def test_switch_survives_a_new_version(saved: httpx.Client) -> None:
    assert saved.post(f"{TRIGGERS}/hourly/disable").json()["enabled"] is False
    save(saved, {**HOURLY, "cron": "1 * * * *"})
    (trigger,) = saved.get(TRIGGERS).json()["items"]
    assert (trigger["enabled"], "next" in trigger) == (False, False)
    assert "next" in saved.post(f"{TRIGGERS}/hourly/enable").json()
    assert_problem(saved.post(f"{TRIGGERS}/daily/enable"), 404, "trigger_not_found")


def test_next_times_show_both_clocks(ada: httpx.Client) -> None:
    save(ada, {**HOURLY, "cron": "30 2 29 3 *", "timezone": "Europe/Berlin"})
    items = ada.get(f"{TRIGGERS}/hourly/next", params={"n": 3}).json()["items"]
    assert len(items) == 3
    for item in items:
        assert datetime.fromisoformat(item["time"]) == datetime.fromisoformat(item["local"])
        assert item["time"].endswith("Z")
    assert_problem(ada.get(f"{TRIGGERS}/hourly/next", params={"n": 0}), 422, "invalid_request")


def test_fired_by_hand_once_per_key_also_when_disabled(saved: httpx.Client) -> None:
    saved.post(f"{TRIGGERS}/hourly/disable")
    first = saved.post(f"{TRIGGERS}/hourly/fire", headers={"Idempotency-Key": "once"})
    again = saved.post(f"{TRIGGERS}/hourly/fire", headers={"Idempotency-Key": "once"})
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json() == {**first.json(), "status": again.json()["status"]}
    run = saved.get(f"{API}/runs/{first.json()['run_id']}").json()
    assert run["trigger"] == {"kind": "schedule", "id": "hourly"}
    assert run["params"]["water"] == datetime.fromisoformat(first.json()["scheduled_at"]).hour
    (tick,) = saved.get(f"{TRIGGERS}/hourly/ticks").json()["items"]
    assert (tick["status"], tick["source"], tick["run_id"]) == ("fired", "fire", run["run_id"])


def test_fired_again_by_its_key_is_the_first_run_also_if_the_graph_has_changed(saved: httpx.Client) -> None:
    first = saved.post(f"{TRIGGERS}/hourly/fire", headers={"Idempotency-Key": "once"}).json()
    save(saved, {**HOURLY, "params": {"water": "{{ tick.date }}"}})
    again = saved.post(f"{TRIGGERS}/hourly/fire", headers={"Idempotency-Key": "once"})
    assert (again.status_code, again.json()["run_id"]) == (200, first["run_id"])
    assert again.json()["scheduled_at"] == first["scheduled_at"]
    assert_problem(saved.post(f"{TRIGGERS}/hourly/fire", headers={"Idempotency-Key": "two"}), 422, "invalid_params")


def test_firing_needs_params_that_fit(ada: httpx.Client) -> None:
    save(ada, {**HOURLY, "params": {"water": "{{ tick.date }}"}})
    problem = assert_problem(ada.post(f"{TRIGGERS}/hourly/fire"), 422, "invalid_params")
    assert [issue["code"] for issue in problem["issues"]] == ["bad_param"]
    assert ada.get(f"{TRIGGERS}/hourly/ticks").json()["items"] == []


def test_webhook_has_no_times(ada: httpx.Client) -> None:
    save(ada, MANUAL_WEBHOOK)
    assert_problem(ada.get(f"{TRIGGERS}/push/next"), 409, "no_times")
    assert_problem(ada.post(f"{TRIGGERS}/push/fire"), 409, "no_times")
    assert ada.post(f"{TRIGGERS}/push/disable").json()["enabled"] is False


def test_backfill_lists_first_and_runs_each_time_once(saved: httpx.Client) -> None:
    period = {"from": "2026-03-01T00:00:00Z", "to": "2026-03-01T03:00:00Z"}
    dry = saved.post(f"{TRIGGERS}/hourly/backfill", json=period)
    times = [{"time": f"2026-03-01T0{hour}:00:00Z", "runs": True, "status": None} for hour in range(3)]
    assert (dry.status_code, dry.json()) == (
        200,
        {"backfill_id": None, "dry_run": True, "max_parallel": 1, "count": 3, "times": times},
    )
    assert saved.get(f"{TRIGGERS}/hourly/ticks").json()["items"] == []
    real = saved.post(f"{TRIGGERS}/hourly/backfill", json={**period, "dry_run": False, "max_parallel": 2})
    assert (real.status_code, real.json()["count"]) == (202, 3)
    ticks = saved.get(f"{TRIGGERS}/hourly/ticks", params={"status": "waiting"}).json()["items"]
    assert [(tick["scheduled_at"], tick["backfill_id"]) for tick in ticks] == [
        (time["time"], real.json()["backfill_id"]) for time in reversed(times)
    ]
    again = saved.post(f"{TRIGGERS}/hourly/backfill", json={**period, "dry_run": False})
    assert (again.json()["count"], [time["status"] for time in again.json()["times"]]) == (0, ["waiting"] * 3)


def test_backfill_reads_local_times_and_ends_now(ada: httpx.Client) -> None:
    save(ada, {**HOURLY, "cron": "0 12 * * *", "timezone": "America/New_York"})
    wanted = {"from": "2026-03-07", "to": "2026-03-09"}
    times = ada.post(f"{TRIGGERS}/hourly/backfill", json=wanted).json()["times"]
    assert [time["time"] for time in times] == ["2026-03-07T17:00:00Z", "2026-03-08T16:00:00Z"]
    now = datetime.now(UTC)
    wanted = {"from": (now - timedelta(days=2)).isoformat(), "to": (now + timedelta(days=9)).isoformat()}
    times = ada.post(f"{TRIGGERS}/hourly/backfill", json=wanted).json()["times"]
    assert len(times) == 2


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"from": "2020-01-01", "to": "2026-01-01"}, "too_many_times"),
        ({"from": "yesterday", "to": "2026-01-01"}, "invalid_request"),
        ({"from": "2026-01-01"}, "invalid_request"),
        ({"from": "2026-01-01", "to": "2026-01-02", "max_parallel": 0}, "invalid_request"),
        ({"from": "2026-01-01", "to": "2026-01-02", "dryrun": False}, "invalid_request"),
    ],
)
def test_backfill_that_is_refused(saved: httpx.Client, body: dict[str, Any], code: str) -> None:
    assert_problem(saved.post(f"{TRIGGERS}/hourly/backfill", json=body), 422, code)


def test_viewers_look_and_strangers_do_not(saved: httpx.Client, login: Login, engine: Engine) -> None:
    stranger = login("eve", "operator")
    for action in ("enable", "fire", "backfill"):
        body = {"from": "2026-01-01", "to": "2026-01-02"} if action == "backfill" else None
        assert_problem(stranger.post(f"{TRIGGERS}/hourly/{action}", json=body), 404, "graph_not_found")
    viewer = login("vic", "viewer")
    assert_problem(viewer.post(f"{TRIGGERS}/hourly/fire"), 403, "forbidden")


def test_ticks_come_in_pages(saved: httpx.Client) -> None:
    period = {"from": "2026-03-01", "to": "2026-03-01T05:00:00", "dry_run": False}
    saved.post(f"{TRIGGERS}/hourly/backfill", json=period).raise_for_status()
    first = saved.get(f"{TRIGGERS}/hourly/ticks", params={"limit": 3}).json()
    second = saved.get(f"{TRIGGERS}/hourly/ticks", params={"limit": 3, "cursor": first["next_cursor"]}).json()
    hours = [tick["scheduled_at"][11:13] for tick in (*first["items"], *second["items"])]
    assert (hours, second["next_cursor"]) == (["04", "03", "02", "01", "00"], None)
    assert_problem(saved.get(f"{TRIGGERS}/hourly/ticks", params={"cursor": "x"}), 400, "bad_cursor")

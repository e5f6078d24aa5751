"""Runs listed by what is known of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from platform_core.database.tables import runs
from tests.integration.trigger_api.conftest import API, assert_problem, document, end_run

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
NAMES = ("plain", "tagged", "quoted", "hooked", "again")


@pytest.fixture
def ids(ada: httpx.Client, engine: Engine) -> dict[str, str]:
    """Five runs an hour apart from noon on, by name."""
    ada.post(f"{API}/graphs", json=document())
    ada.post(f"{API}/graphs", json=document("sieve"))

    def launch(water: int, graph: str = "mill", **body: Any) -> str:
        return str(ada.post(f"{API}/graphs/{graph}/runs", json={"params": {"water": water}, **body}).json()["run_id"])

    found = {
        "plain": launch(1),
        "tagged": launch(2, tags={"team": "red", "note": '50% of ä, {"x":1}'}),
        "quoted": launch(3, "sieve", tags={'a"team': "red", "teams": "red", "x": 'team":"red'}),
        "hooked": launch(4),
        "again": launch(5),
    }
    with engine.begin() as connection:
        changes: dict[str, dict[str, Any]] = {
            "hooked": {"trigger_kind": "webhook", "trigger_id": "on-push"},
            "again": {"parent_run_id": found["hooked"]},
        }
        for place, name in enumerate(NAMES):
            moment = {"created_at": NOON + timedelta(hours=place)}
            connection.execute(
                sa.update(runs).where(runs.c.run_id == found[name]).values(**moment, **changes.get(name, {}))
            )
    end_run(engine, found["plain"], "FAILURE", error={"message": "The Wheel broke"})
    return found


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, "again hooked quoted tagged plain"),
        ({"graph": "sieve"}, "quoted"),
        ({"status": "FAILURE"}, "plain"),
        ({"trigger": "webhook"}, "hooked"),
        ({"trigger": "on-push"}, "hooked"),
        ({"trigger": "manual"}, "again quoted tagged plain"),
        ({"tag": "team"}, "tagged"),
        ({"tag": "team=red"}, "tagged"),
        ({"tag": "team=re"}, ""),
        ({"tag": ["team=red", 'note=50% of ä, {"x":1}']}, "tagged"),
        ({"tag": ["team=red", "teams"]}, ""),
        ({"tag": 'a"team=red'}, "quoted"),
        ({"since": "2026-11-20T13:00:00Z"}, "again hooked quoted tagged"),
        ({"since": "2026-11-20T13:00:00", "until": "2026-11-20T15:00:00Z"}, "quoted tagged"),
        ({"since": "2026-11-20T15:00:00+02:00"}, "again hooked quoted tagged"),
        ({"until": "2026-11-21"}, "again hooked quoted tagged plain"),
        ({"q": "the wheel BROKE"}, "plain"),
        ({"q": "SIEVE"}, "quoted"),
        ({"q": '"water":2'}, ""),
        ({"q": "of ä,"}, "tagged"),
        ({"q": "50%"}, "tagged"),
        ({"q": "5_%"}, ""),
        ({"trigger": "manual", "status": "QUEUED", "graph": "mill", "q": "oak"}, "again tagged"),
    ],
    ids=str,
)
def test_runs_are_listed_by(ada: httpx.Client, ids: dict[str, str], query: dict[str, Any], names: str) -> None:
    by_id = {run_id: name for name, run_id in ids.items()}
    found = ada.get(f"{API}/runs", params=query).json()
    assert " ".join(by_id[item["run_id"]] for item in found["items"]) == names
    assert found["next_cursor"] is None


def test_retries_are_listed_by_their_parent_and_pages_keep_the_filter(ada: httpx.Client, ids: dict[str, str]) -> None:
    of_hooked = ada.get(f"{API}/runs", params={"parent": ids["hooked"]}).json()["items"]
    assert [item["run_id"] for item in of_hooked] == [ids["again"]]
    page = ada.get(f"{API}/runs", params={"trigger": "manual", "limit": 3}).json()
    rest = ada.get(f"{API}/runs", params={"trigger": "manual", "limit": 3, "cursor": page["next_cursor"]}).json()
    assert [item["run_id"] for item in rest["items"]] == [ids["plain"]]


@pytest.mark.parametrize(
    "query", [{"since": "soon"}, {"trigger": "On Push"}, {"tag": ""}, {"q": "a\0b"}, {"parent": "x/y"}, {"status": "X"}]
)
def test_a_filter_that_is_none_is_refused(ada: httpx.Client, query: dict[str, str]) -> None:
    problem = assert_problem(ada.get(f"{API}/runs", params=query), 422, "invalid_request")
    assert problem["issues"][0]["in"] == "query"

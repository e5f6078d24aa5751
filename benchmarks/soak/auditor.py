"""What must be true of everything that was sent, once it has ended: asked of the API and of the counting server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx

from benchmarks.soak.counting import Counting
from benchmarks.soak.generator import Log, Sent

LOSSES = ("worker_lost", "run_failed", "worker_terminated")
"""Kinds of error by which a run may end that lost its worker: in the midst of an effect, or too often."""
_ATTEMPTS = 5 + 3
"""Calls of one node at most: its own attempts, and one more for each worker that a run may lose."""


def violations(http: httpx.Client, log: Log, counting: Counting) -> Iterator[str]:
    """Each thing that is not as it must be, in words."""
    yield from log.contradictions
    runs = [one.run_id for one in log.sent]
    yield from (f"{run_id} is the run of {count} keys" for run_id, count in Counter(runs).items() if count > 1)
    for one in log.sent:
        yield from (f"{one.kind.name} {one.run_id} ({one.key}): {said}" for said in _of_one(http, one, counting))
    known = {one.run_id for one in log.sent}
    for run in _all_runs(http):
        if run["run_id"] not in known and run["trigger"]["kind"] != "schedule":
            yield f"run {run['run_id']} of {run['graph']} was not sent by anybody"


def ends(http: httpx.Client, log: Log) -> Counter[str]:
    """How many runs ended how."""
    return Counter(run["status"] for run in _all_runs(http))


def _of_one(http: httpx.Client, one: Sent, counting: Counting) -> Iterator[str]:
    if not one.run_id:
        yield "was never answered"
        return
    run = http.get(f"/api/v1/runs/{one.run_id}").raise_for_status().json()
    error = run["error"] or {}
    if run["status"] == "SUCCESS":
        outputs = http.get(f"/api/v1/runs/{one.run_id}/outputs").raise_for_status().json()["outputs"]
        if one.kind.fails or outputs != one.kind.outputs(one.n):
            yield f"ended well with {outputs}"
    elif run["status"] == "CANCELED":
        if not one.is_cancel_sent:
            yield "was canceled by nobody"
    elif run["status"] != "FAILURE" or not (one.kind.fails or error.get("kind") in LOSSES):
        yield f"is {run['status']} with {error}"
    yield from _of_effects(one, run["status"], counting)
    yield from _of_events(http, one.run_id, run["status"])


def _of_effects(one: Sent, status: str, counting: Counting) -> Iterator[str]:
    counts = {path: count for path, count in counting.counts.items() if path.startswith(f"/{one.key}/")}
    if status == "SUCCESS" and len(counts) != one.kind.effects:
        yield f"{len(counts)} of {one.kind.effects} effects happened"
    yield from (f"{path} happened {count} times" for path, count in counts.items() if count > _ATTEMPTS)


def _of_events(http: httpx.Client, run_id: str, status: str) -> Iterator[str]:
    with http.stream("GET", f"/api/v1/runs/{run_id}/events", params={"follow": "false"}, timeout=60) as answer:
        ids = [int(line.removeprefix("id:")) for line in answer.iter_lines() if line.startswith("id:")]
    if ids != list(range(1, len(ids) + 1)):
        yield f"its events are numbered {ids[:20]}"


def _all_runs(http: httpx.Client) -> Iterator[dict[str, Any]]:
    cursor: str | None = None
    while True:
        page = {"limit": "100"} | ({} if cursor is None else {"cursor": cursor})
        answer = http.get("/api/v1/runs", params=page).raise_for_status().json()
        yield from answer["items"]
        cursor = answer.get("next_cursor")
        if cursor is None:
            return

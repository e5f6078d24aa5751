"""5,000 stored schedules: what they cost the daemon, how soon a saved one is live, and how late ticks are."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from benchmarks.figures.figure import Figure
from benchmarks.systems import stack

SCHEDULES = 5_000
SETTLE_SECONDS = 30
WINDOW_SECONDS = 60
TICKS = 20
_SCHEDULE = """query($name: String!) { scheduleOrError(scheduleSelector: {
    repositoryLocationName: "headrace", repositoryName: "headrace", scheduleName: $name}) { __typename } }"""


def measure(repetitions: int) -> list[Figure]:
    """All figures, of one installation with `SCHEDULES` graphs that have a timer each; none of those is due."""
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as folder, stack.running(Path(folder)) as running:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda number: running.apply(_stored(number)), range(SCHEDULES)))
        record = json.loads((Path(folder) / "up.json").read_text())
        time.sleep(SETTLE_SECONDS)
        idle, everything = _share_of_a_core(running, psutil.Process(record["pids"]["daemon"]))
        late = _lateness(running)
        # What follows is of an installation where somebody looks at Dagster's UI, which reads all graphs at first.
        _until_shown(running, f"stored-{SCHEDULES - 1}", time.monotonic(), patience=900)
        live, shown = [], []
        for number in range(repetitions):
            seconds = _until_live(running, number)
            live.append(seconds[0])
            shown.append(seconds[1])
    return [
        Figure(f"{SCHEDULES} schedules stored: processor of the daemon", "% of a core", [idle]),
        Figure(f"{SCHEDULES} schedules stored: processor of all processes", "% of a core", [everything], goal="3 %"),
        Figure("tick: its time to its run accepted", "ms", [value * 1000 for value in late[0]]),
        Figure("tick: its time to its run started", "ms", [value * 1000 for value in late[1]], goal="2 s"),
        Figure(f"save with {SCHEDULES} graphs stored: to the first tick of `every: 1s`", "s", live, goal="at once"),
        Figure(f"save with {SCHEDULES} graphs stored: to the schedule in Dagster's UI", "s", shown, goal="1 s"),
    ]


def _stored(number: int) -> dict[str, Any]:
    """A graph whose timer fires once a year, on one of the days after New Year's."""
    cron = f"{number % 60} {number % 24} {1 + number % 28} 1 *"
    return _graph(f"stored-{number}", {"id": "tick", "type": "schedule", "cron": cron})


def _graph(name: str, *triggers: dict[str, Any]) -> dict[str, Any]:
    nodes = [{"id": "n", "type": "transform", "config": {"value": 1}}]
    return {"spec_version": 1, "name": name, "nodes": nodes, "triggers": list(triggers)}


def _share_of_a_core(running: stack.Stack, daemon: psutil.Process) -> tuple[float, float]:
    """Percent of a core that the daemon, and all processes together, use in a minute without any request."""
    family = [psutil.Process(running.pid), *psutil.Process(running.pid).children(recursive=True)]
    before, before_all = _seconds(daemon), sum(map(_seconds, family))
    begin = time.monotonic()
    time.sleep(WINDOW_SECONDS)
    window = time.monotonic() - begin
    after_all = sum(_seconds(process) for process in family if process.is_running())
    return 100 * (_seconds(daemon) - before) / window, 100 * (after_all - before_all) / window


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _lateness(running: stack.Stack) -> tuple[list[float], list[float]]:
    """Seconds from the times of a timer to its runs' acceptance and start."""
    name = running.apply(_graph("late", {"id": "tick", "type": "schedule", "every": "2s"}))
    ticks = _wait_for_ticks(running, name, TICKS)
    running.http.post(f"/api/v1/graphs/{name}/triggers/tick/disable").raise_for_status()
    accepted, started = [], []
    for tick in ticks:
        running.finish(tick["run_id"])
        run = running.http.get(f"/api/v1/runs/{tick['run_id']}").json()
        accepted.append(_between(tick["scheduled_at"], run["created_at"]))
        started.append(_between(tick["scheduled_at"], run["started_at"]))
    return accepted, started


def _until_live(running: stack.Stack, number: int) -> tuple[float, float]:
    """Seconds from the answer to a save until its timer has fired, and until Dagster's UI knows its schedule."""
    name = f"live-{number}"
    every = {"id": "soon", "type": "schedule", "every": "1s"}
    graph = _graph(name, every, {"id": "tick", "type": "schedule", "cron": "0 3 * * *"})
    begin = time.monotonic()
    seconds: list[float] = []
    watching = threading.Thread(target=lambda: seconds.append(_until_shown(running, name, begin)))
    running.apply(graph)
    begin = time.monotonic()
    watching.start()
    _wait_for_ticks(running, name, 1, trigger="soon")
    fired = time.monotonic() - begin
    running.http.post(f"/api/v1/graphs/{name}/triggers/soon/disable").raise_for_status()
    watching.join()
    return fired, seconds[0]


def _until_shown(running: stack.Stack, graph: str, begin: float, patience: float = 120) -> float:
    body = {"query": _SCHEDULE, "variables": {"name": f"admin__{graph.replace('-', '_')}__ON__tick"}}
    while time.monotonic() < begin + patience:
        answer = running.http.post("/dagster/graphql", json=body).json()
        if answer["data"]["scheduleOrError"]["__typename"] == "Schedule":
            return time.monotonic() - begin
        time.sleep(0.05)
    raise AssertionError(f"Dagster's UI does not know the schedule after {patience:g} s")


def _wait_for_ticks(running: stack.Stack, graph: str, count: int, trigger: str = "tick") -> list[dict[str, Any]]:
    path = f"/api/v1/graphs/{graph}/triggers/{trigger}/ticks"
    for _ in range(1200):
        items = running.http.get(path, params={"status": "fired", "limit": 100}).json()["items"]
        if len(items) >= count:
            return list(items)
        time.sleep(0.1)
    raise AssertionError(f"fewer than {count} ticks of {graph} in two minutes")


def _between(earlier: str, later: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()

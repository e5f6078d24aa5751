"""What operators do (docs/operations.md): a rolling restart while work goes on, a backup and a restoration from it."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import httpx
import pytest

from headrace.client import Client
from tests.kubernetes import graphs
from tests.kubernetes.installation import OVERLAY, SERVICES, Installation, kubectl

pytestmark = pytest.mark.kubernetes
ROLLED = ("headrace-trigger-api", "headrace-stream-api", "headrace-daemon")
POSTGRES = ("-n", SERVICES, "exec", "-i", "statefulset/headrace-postgres", "--")
LINES = 150
TICK_SECONDS = 10


class Requests:
    """Saves a graph and reads it, again and again, each on a connection of its own; nothing is tried twice."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._stop = threading.Event()
        self.answered = 0
        self.failures: list[str] = []
        self._thread = threading.Thread(target=self._ask)

    @contextmanager
    def going_on(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join()

    def _ask(self) -> None:
        headers = {"Authorization": f"Bearer {self._installation.token}"}
        url = f"{self._installation.trigger}/api/v1/graphs/asked"
        while not self._stop.wait(0.1):
            self.answered += 1
            for method, options in (("PUT", {"json": graphs.quick("asked")}), ("GET", {})):
                try:
                    answer = httpx.request(method, url, headers=headers, timeout=60, **options)  # type: ignore[arg-type]  # `json` alone
                except httpx.TransportError as error:
                    self.failures.append(repr(error))
                else:
                    if not answer.is_success:
                        self.failures.append(answer.text)


def test_a_rolling_restart_loses_no_request_no_event_no_tick_and_no_run(
    installation: Installation, figure: Callable[[str], None]
) -> None:
    trigger = {"id": "beat", "type": "schedule", "every": f"{TICK_SECONDS}s"}
    ticking = {**graphs.value("ticking"), "triggers": [trigger]}
    installation.save(graphs.talking("talking", LINES, 0.3))
    installation.save(graphs.value("accepted"))
    run_id = installation.run("talking")
    installation.wait_status(run_id, "RUNNING")
    events: list[dict[str, Any]] = []

    def follow() -> None:
        with Client(installation.stream, installation.token, patience=120.0) as client:
            events.extend(dict(event) for event in client.follow(run_id))

    follower = threading.Thread(target=follow)
    requests = Requests(installation)
    follower.start()
    with requests.going_on():
        installation.save(ticking)
        began = time.monotonic()
        kubectl("-n", SERVICES, "rollout", "restart", *(f"deployment/{name}" for name in ROLLED))
        accepted = [installation.run("accepted") for _ in range(5)]
        for name in ROLLED:
            kubectl("-n", SERVICES, "rollout", "status", f"deployment/{name}", "--timeout=240s")
        figure(f"both APIs and the daemon were restarted in {time.monotonic() - began:.0f} s")
        accepted += [installation.run("accepted") for _ in range(2)]
        installation.request("POST", "graphs/ticking/triggers/beat/disable")
    assert requests.failures == []
    assert requests.answered > 10
    for each in accepted:
        assert installation.wait_ended(each)["status"] == "SUCCESS"
    follower.join(240)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    said = [event["message"] for event in events if event["type"] == "stdout"]
    assert said == [f"line {number}" for number in range(LINES)]
    assert events[-1]["type"] == "run.succeeded"
    ticks = installation.request("GET", "graphs/ticking/triggers/beat/ticks")["items"]
    assert {tick["status"] for tick in ticks} == {"fired"}
    at = sorted(_seconds(tick["scheduled_at"]) for tick in ticks)
    assert at == list(range(at[0], at[-1] + 1, TICK_SECONDS))
    fired = [tick["run_id"] for tick in ticks]
    assert len({*fired}) == len(fired)
    for each in fired:
        assert installation.wait_ended(each)["status"] == "SUCCESS"
    installation.wait_nothing_left(run_id, *accepted, *fired)


def _seconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp())


def test_a_backup_is_restored_as_the_page_for_operators_says(
    installation: Installation, figure: Callable[[str], None]
) -> None:
    installation.save(graphs.quick("kept"))
    before = installation.run("kept", {"n": 4})
    events = installation.events(before)
    installation.save(graphs.slow("cut-short", 20))
    in_flight = installation.run("cut-short")
    installation.wait_status(in_flight, "RUNNING")
    dump = _piped("pg_dump", "--format=custom", "headrace", "-U", "postgres", "-h", "/tmp")
    after = installation.run("kept")
    began = time.monotonic()
    kubectl("-n", SERVICES, "scale", "deployment", "--all", "--replicas=0")
    kubectl(
        "-n", SERVICES, "wait", "--for=delete", "pod", "-l", "app.kubernetes.io/component!=postgres", "--timeout=120s"
    )
    kubectl("-n", "headrace-runs", "delete", "jobs", "--all", "--cascade=foreground")
    _piped("dropdb", "--force", "headrace", "-U", "postgres", "-h", "/tmp")
    _piped("createdb", "--owner=headrace", "headrace", "-U", "postgres", "-h", "/tmp")
    restore = ("pg_restore", "--clean", "--if-exists", "--no-owner", "--role=headrace", "--dbname=headrace")
    _piped(*restore, "-U", "postgres", "-h", "/tmp", stdin=dump)
    kubectl("-n", SERVICES, "delete", "job", "headrace-migrate", "--ignore-not-found")
    kubectl("apply", "-k", str(OVERLAY))
    kubectl("-n", SERVICES, "wait", "--for=condition=available", "deployment", "--all", "--timeout=240s")
    figure(
        f"{len(dump) / 1e6:.1f} MB of backup were restored, and all served again, in {time.monotonic() - began:.0f} s"
    )
    assert installation.events(before) == events
    assert installation.request("GET", f"runs/{before}/outputs")["outputs"] == {"doubled": 8}
    installation.request("GET", f"runs/{after}", expect=[404])
    # Its pod was lost with the Jobs: it goes on in another, from where the backup has it.
    assert installation.wait_ended(in_flight, 240)["status"] == "SUCCESS"
    assert "run.resumed" in [event["type"] for event in installation.events(in_flight)]
    assert installation.wait_ended(installation.run("kept"))["status"] == "SUCCESS"


def _piped(*command: str, stdin: bytes = b"") -> bytes:
    """Its output, of a program in the database's pod."""
    done = subprocess.run(["kubectl", *POSTGRES, *command], input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout

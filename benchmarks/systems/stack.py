"""Headrace as a user runs it: `headrace up` in a home of its own, spoken to over HTTP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

HEADRACE = str(Path(sys.executable).with_name("headrace"))
STOP_SECONDS = 60


@dataclass(frozen=True)
class Received:
    """An event and the time it arrived, in seconds since the epoch."""

    event: dict[str, Any]
    at: float


@dataclass(frozen=True)
class Stack:
    """A running `headrace up`: its process, how long it took to be ready (seconds), and a client of its API."""

    pid: int
    ready_seconds: float
    http: httpx.Client

    def apply(self, document: dict[str, Any]) -> str:
        """Store a graph; returns its name."""
        answer = self.http.post("/api/v1/graphs", json=document)
        answer.raise_for_status()
        return str(answer.json()["name"])

    def launch(self, graph: str, params: dict[str, Any] | None = None) -> str:
        """Launch a run; returns its id."""
        answer = self.http.post(f"/api/v1/graphs/{graph}/runs", json={"params": params or {}})
        answer.raise_for_status()
        return str(answer.json()["run_id"])

    def follow(self, run_id: str) -> Iterator[Received]:
        """The run's events from the first to the final one. Raises AssertionError unless the run succeeds."""
        with self.http.stream("GET", f"/api/v1/runs/{run_id}/events", timeout=120) as answer:
            answer.raise_for_status()
            for line in answer.iter_lines():
                if line.startswith("data:"):
                    event = json.loads(line.removeprefix("data:"))
                    yield Received(event, time.time())
                    if event.get("final"):
                        assert event["type"] == "run.succeeded", event
                        return
        raise AssertionError(f"the events of run {run_id} ended without a final one")

    def finish(self, run_id: str) -> None:
        """Wait for the end of a run."""
        for _ in self.follow(run_id):
            pass


@contextmanager
def running(home: Path) -> Iterator[Stack]:
    """`headrace up` in `home` on free ports, from ready to stopped."""
    environment = {**os.environ, "HEADRACE_HOME": str(home)}
    started = time.monotonic()
    command = [HEADRACE, "up", "--port", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            url = next((line.split()[1] for line in process.stdout if line.startswith("ready ")), None)
            assert url is not None, "headrace up ended before it was ready"
            seconds = time.monotonic() - started
            # What is not read would fill the pipe, and a supervisor that waits for its console supervises nothing.
            threading.Thread(target=deque, args=(process.stdout, 0), daemon=True).start()
            token = subprocess.check_output([HEADRACE, "token"], env=environment, text=True).strip()
            with httpx.Client(
                base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60, trust_env=False
            ) as http:
                yield Stack(process.pid, seconds, http)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(STOP_SECONDS)

"""Plain Dagster as `dagster dev` runs it: webserver, daemon, code location, default launcher and executor, SQLite."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

JOBS = Path(__file__).with_name("plain_jobs.py")
READY_SECONDS = 120
RUN_SECONDS = 900
POLL_SECONDS = 0.1

READY = "{repositoriesOrError{... on RepositoryConnection{nodes{name}}}}"
LAUNCH = """mutation($job: String!){launchRun(executionParams: {runConfigData: {}, selector: {jobName: $job,
 repositoryName: "__repository__", repositoryLocationName: "plain_jobs.py"}}){... on LaunchRunSuccess{run{runId}}}}"""
STATUS = "query($run: ID!){runOrError(runId: $run){... on Run{status}}}"


@dataclass(frozen=True)
class PlainDagster:
    """A running `dagster dev`, spoken to over GraphQL."""

    pid: int
    ready_seconds: float
    http: httpx.Client

    def run(self, job: str) -> float:
        """Launch a job and wait until it has succeeded. Returns the seconds between."""
        started = time.monotonic()
        answer = _ask(self.http, LAUNCH, job=job)
        run_id = answer["launchRun"]["run"]["runId"]
        while time.monotonic() - started < RUN_SECONDS:
            status = _ask(self.http, STATUS, run=run_id)["runOrError"]["status"]
            assert status not in ("FAILURE", "CANCELED"), status
            if status == "SUCCESS":
                return time.monotonic() - started
            time.sleep(POLL_SECONDS)
        raise AssertionError(f"{job} did not end in {RUN_SECONDS} s")


@contextmanager
def running() -> Iterator[PlainDagster]:
    """`dagster dev` in a home of its own on a free port, from ready to stopped."""
    with tempfile.TemporaryDirectory(prefix="headrace-plain-") as home:
        Path(home, "dagster.yaml").write_text("telemetry: {enabled: false}\n")
        port = _free_port()
        started = time.monotonic()
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("dagster")), "dev", "-f", str(JOBS), "-p", str(port)],
            env={**os.environ, "DAGSTER_HOME": home},
            cwd=home,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as http:
                _wait_ready(http, started)
                yield PlainDagster(process.pid, time.monotonic() - started, http)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def _wait_ready(http: httpx.Client, started: float) -> None:
    while time.monotonic() - started < READY_SECONDS:
        try:
            if _ask(http, READY)["repositoriesOrError"].get("nodes"):
                return
        except httpx.HTTPError:
            pass
        time.sleep(POLL_SECONDS)
    raise AssertionError(f"dagster dev was not ready in {READY_SECONDS} s")


def _ask(http: httpx.Client, query: str, **variables: str) -> Any:
    answer = http.post("/graphql", json={"query": query, "variables": variables}).raise_for_status().json()
    assert "errors" not in answer, answer["errors"]
    return answer["data"]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])

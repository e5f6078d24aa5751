"""Where the seconds between a POST and a run's first node go, and how soon a line of its output is on the stream."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import psutil
import pytest

from headrace.client import Client
from tests.kubernetes import graphs
from tests.kubernetes.installation import Installation, objects
from tests.waiting import wait_until

pytestmark = pytest.mark.kubernetes
RUNS = 10
LINES = 40
PARTS = ("the Job is made", "its process begins", "the run starts", "the first node starts")


def test_where_the_seconds_to_the_first_node_go(installation: Installation, figure: Callable[[str], None]) -> None:
    installation.save(graphs.value("first-node"))
    splits = [_moments(installation) for _ in range(RUNS)]
    known = [split for split in splits if len(split) == len(PARTS) + 1]
    for number, part in enumerate(PARTS, 1):
        taken = [split[number] - split[number - 1] for split in known]
        if taken:
            figure(f"until {part}: p50 {statistics.median(taken):.2f} s, most {max(taken):.2f} s (n {len(taken)})")
    whole = [split[-1] - split[0] for split in splits]
    figure(f"POST to the first node: p50 {statistics.median(whole):.2f} s, most {max(whole):.2f} s (n {RUNS})")


def _moments(installation: Installation) -> list[float]:
    """POST, Job, process, run.started, node.started; without the second and third where pods run elsewhere."""
    posted = time.time()
    run_id = installation.run("first-node")
    made: float | None = None
    process: float | None = None

    def is_running() -> bool:
        nonlocal made, process
        if made is None and objects("jobs", selector=f"headrace/run={run_id}"):
            made = time.time()
        process = process or _process_time(run_id)
        return process is not None or installation.state(run_id)["status"] not in ("QUEUED", "STARTING")

    wait_until(is_running, "the run's process begins", 120)
    installation.wait_ended(run_id)
    at = {event["type"]: datetime.fromisoformat(event["ts"]).timestamp() for event in installation.events(run_id)}
    known = [each for each in (made, process) if each is not None]
    return [posted, *(known if len(known) == 2 else ()), at["run.started"], at["node.started"]]


def _process_time(run_id: str) -> float | None:
    """When the process of the run's pod was made, if it runs on this machine."""
    for process in psutil.process_iter(["cmdline", "create_time"]):
        if (process.info["cmdline"] or [])[-2:] == ["run-job", run_id]:
            return float(process.info["create_time"])
    return None


def test_a_line_of_output_is_on_the_stream_while_the_run_goes_on(
    installation: Installation, figure: Callable[[str], None]
) -> None:
    code = "import time\n\ndef main() -> None:\n"
    code += f"    for number in range({LINES}):\n        print(time.time())\n        time.sleep(0.1)\n"
    node: dict[str, Any] = {"id": "clock", "type": "python", "config": {"code": code}}
    installation.save({"spec_version": 1, "name": "clock", "nodes": [node]})
    script = f"for n in $(seq {LINES}); do date +%s.%N; sleep 0.1; done"
    installation.save(graphs.boxed("boxed-clock", script))
    for name in ("clock", "boxed-clock"):
        delays = _delays(installation, name)
        assert len(delays) == LINES
        figure(f"a line of {name} to the stream: p50 {statistics.median(delays):.2f} s, most {max(delays):.2f} s")


def _delays(installation: Installation, graph: str) -> list[float]:
    """Seconds between each line's writing, which it tells, and its arrival here, on the same clock."""
    run_id = installation.run(graph)
    delays = []
    with Client(installation.stream, installation.token, patience=120.0) as client:
        for event in client.follow(run_id):
            if event["type"] == "stdout":
                delays.append(time.time() - float(event["message"]))
    return delays

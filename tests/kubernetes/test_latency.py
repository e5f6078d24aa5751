"""Where the seconds between a POST and a run's first node go, and how soon a line of its output is on the stream."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from kubernetes import config

from definitions.kubernetes.api import Json, KubernetesApi
from definitions.kubernetes.watch import Watch
from headrace.client import Client
from tests.kubernetes import graphs
from tests.kubernetes.installation import RUNS as RUNS_NAMESPACE
from tests.kubernetes.installation import Installation
from tests.waiting import wait_until

pytestmark = pytest.mark.kubernetes
RUNS = 10
WATCHED = ("jobs", "pods", "node")
LINES = 40
PARTS = ("Job is made", "pod is made", "pod has a node", "process begins", "run starts", "first node starts")
"""`run starts` is when the process has loaded its code, has claimed the run and tells its first event."""


def test_where_the_seconds_to_the_first_node_go(installation: Installation, figure: Callable[[str], None]) -> None:
    installation.save(graphs.value("first-node"))
    seen = Seen()
    with seen.watching():
        splits = [_moments(installation, seen) for _ in range(RUNS)]
    known = [split for split in splits if len(split) == len(PARTS) + 1]
    for number, part in enumerate(PARTS, 1):
        taken = [split[number] - split[number - 1] for split in known]
        if taken:
            figure(f"until the {part}: p50 {statistics.median(taken):.2f} s, most {max(taken):.2f} s (n {len(taken)})")
    whole = [split[-1] - split[0] for split in splits]
    figure(f"POST to the first node: p50 {statistics.median(whole):.2f} s, most {max(whole):.2f} s (n {RUNS})")


def _moments(installation: Installation, seen: Seen) -> list[float]:
    """When the POST began, and when each of `PARTS` was so; without the process where pods run elsewhere."""
    posted = time.time()
    run_id = installation.run("first-node")
    process = wait_until(lambda: _process_time(run_id) or _is_begun(installation, run_id), "the run begins", 120)
    installation.wait_ended(run_id)
    at = {event["type"]: datetime.fromisoformat(event["ts"]).timestamp() for event in installation.events(run_id)}
    began = [] if process is True else [float(process)]
    return [posted, *(seen.at(run_id, what) for what in WATCHED), *began, at["run.started"], at["node.started"]]


def _is_begun(installation: Installation, run_id: str) -> bool:
    return installation.state(run_id)["status"] not in ("QUEUED", "STARTING")


class Seen:
    """When what belongs to a run was first seen in the cluster, by two watches."""

    def __init__(self) -> None:
        config.load_kube_config(os.environ["KUBECONFIG"])
        api = KubernetesApi(RUNS_NAMESPACE)
        self._at: dict[tuple[str, str], float] = {}
        self._watches = [Watch(api, kind, partial(self._on_change, kind)) for kind in ("jobs", "pods")]

    @contextmanager
    def watching(self) -> Iterator[None]:
        for watch in self._watches:
            watch.start()
        wait_until(lambda: all(watch.is_synced for watch in self._watches), "the watches are open")
        try:
            yield
        finally:
            for watch in self._watches:
                watch.close()

    def at(self, run_id: str, what: str) -> float:
        return wait_until(lambda: self._at.get((run_id, what)), f"{what} of run {run_id} is seen")

    def _on_change(self, kind: str, name: str, before: Json | None, now: Json | None) -> None:
        if now is not None:
            run_id = str(now["metadata"]["labels"].get("headrace/run"))
            self._at.setdefault((run_id, kind), time.time())
            if now["spec"].get("nodeName"):
                self._at.setdefault((run_id, "node"), time.time())


def _process_time(run_id: str) -> float | None:
    """When the process of the run's pod was made, if it runs on this machine."""
    for process in psutil.process_iter(["cmdline"]):
        if (process.info["cmdline"] or [])[-2:] == ["run-job", run_id]:
            # psutil's own time is of whole seconds, since it counts from the boot's.
            after_name = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(after_name[19]) / os.sysconf("SC_CLK_TCK")
            return time.time() - age
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

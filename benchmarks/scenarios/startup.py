"""How long `headrace up` takes to be ready, in a new home and in a used one, and what it then holds idle."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks.figures.figure import Figure
from benchmarks.systems import family, plain, stack

SETTLE_SECONDS = 5


def measure(repetitions: int) -> list[Figure]:
    cold, warm, work, idle = [], [], [], []
    for _ in range(repetitions):
        with tempfile.TemporaryDirectory(prefix="headrace-bench-") as folder:
            with stack.running(Path(folder)) as first:
                cold.append(first.ready_seconds)
            with stack.running(Path(folder)) as second:
                warm.append(second.ready_seconds)
                work.append(family.processor_seconds(second.pid))
                time.sleep(SETTLE_SECONDS)
                idle.append(family.megabytes(second.pid))
    return [
        Figure("headrace up, new home, until ready", "s", cold, goal="7 s"),
        Figure("headrace up, used home, until ready", "s", warm, goal="5 s"),
        Figure("headrace up, used home, processor time until ready", "s", work),
        Figure("idle memory of all processes (PSS)", "MB", idle, goal="450 MB"),
    ]


def measure_plain(repetitions: int) -> tuple[list[float], list[float], list[float]]:
    """Seconds until `dagster dev` is ready, processor time of it, and MB it then holds."""
    ready, work, idle = [], [], []
    for _ in range(repetitions):
        with plain.running() as dagster:
            ready.append(dagster.ready_seconds)
            work.append(family.processor_seconds(dagster.pid))
            time.sleep(SETTLE_SECONDS)
            idle.append(family.megabytes(dagster.pid))
    return ready, work, idle

"""Validating and compiling graphs of 1,000 and 4,000 nodes, in this process, without a stack."""

from __future__ import annotations

import json
import time

from benchmarks.figures.figure import Figure
from benchmarks.systems import graphs
from graph_compiler.checking.validation import check
from graph_compiler.jobs.compilation import compile_job

LIMIT = 16 * 1024 * 1024


def measure(repetitions: int) -> list[Figure]:
    small = [_seconds(1000) for _ in range(repetitions)]
    large = [_seconds(4000) for _ in range(max(1, repetitions // 3))]
    return [
        Figure("validate and compile 1,000 nodes", "s", small, goal="0.3 s"),
        Figure("validate and compile 4,000 nodes", "s", large, goal="linear"),
    ]


def _seconds(nodes: int) -> float:
    document = json.dumps(graphs.chain("bench-large", nodes))
    started = time.perf_counter()
    checked = check(document, syntax="json", max_bytes=LIMIT)
    assert checked.spec is not None, checked.issues[:3]
    compile_job(checked.spec, name="bench_large")
    return time.perf_counter() - started

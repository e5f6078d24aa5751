"""A webhook that is answered with the result of two light nodes, one call at a time and over 20 connections.

Measured by the same client as n8n's webhook with two Set nodes, in the same run.
"""

from __future__ import annotations

import json
import subprocess
import sys
from urllib.parse import urlsplit

from benchmarks.figures.figure import Figure
from benchmarks.systems import n8n
from benchmarks.systems.stack import Stack

WARM_SECONDS = 3
SECONDS = 10
CONNECTIONS = 20


def measure(stack: Stack, repetitions: int) -> list[Figure]:
    latencies, rates = _samples(_webhook(stack), max(1, repetitions // 3))
    return [
        Figure("webhook answered with the result of 2 light nodes", "ms", latencies, goal="35 ms, and n8n's"),
        Figure(f"the same, answers per second over {CONNECTIONS} connections", "/s", rates, goal="2.5 x n8n's, 78 /s"),
    ]


def measure_n8n(system: n8n.N8n, repetitions: int) -> tuple[list[float], list[float]]:
    """Milliseconds of single calls, and answers per second."""
    return _samples(system.url, max(1, repetitions // 3))


def _samples(url: str, repetitions: int) -> tuple[list[float], list[float]]:
    _load(url, 1, WARM_SECONDS)
    latencies = [seconds * 1000 for seconds in _load(url, 1, SECONDS)]
    _load(url, CONNECTIONS, WARM_SECONDS)
    return latencies, [len(_load(url, CONNECTIONS, SECONDS)) / SECONDS for _ in range(repetitions)]


def _webhook(stack: Stack) -> str:
    call = {
        "id": "call",
        "type": "webhook",
        "verify": {"scheme": "none"},
        "params": {"x": "{{ body.x }}"},
        "respond": "result",
    }
    document = {
        "spec_version": 1,
        "name": "bench-answers",
        "params": {"type": "object", "properties": {"x": {"type": "integer"}}},
        "nodes": [
            {"id": "first", "type": "transform", "config": {"value": "{{ params.x }}"}},
            {"id": "second", "type": "transform", "config": {"value": "{{ inputs.x * 2 }}"}},
        ],
        "edges": [{"from": "first.value", "to": "second.x"}],
        "outputs": {"r": "{{ nodes.second.value }}"},
        "triggers": [call],
    }
    stack.apply(document)
    [found] = stack.http.get("/api/v1/graphs/bench-answers/triggers").json()["items"]
    return str(found["url"])


def _load(url: str, connections: int, seconds: int) -> list[float]:
    """Seconds of each call that was answered in the time."""
    address = urlsplit(url)
    job = {
        "host": address.hostname,
        "port": address.port,
        "path": address.path,
        "connections": connections,
        "seconds": seconds,
    }
    command = [sys.executable, "-m", "benchmarks.load.answer_load"]
    done = subprocess.run(command, input=json.dumps(job), stdout=subprocess.PIPE, text=True, check=True)
    found: list[float] = json.loads(done.stdout)
    return found

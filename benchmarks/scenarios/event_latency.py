"""From an event's time stamp to its arrival at an SSE client, both by this machine's clock.

The stamp is taken when the event happens, before it is committed: what is shown includes the writing.
"""

from __future__ import annotations

import time
from datetime import datetime

from benchmarks.figures.figure import Figure
from benchmarks.systems import graphs
from benchmarks.systems.stack import Stack

LINES = 30
PAUSE = 0.02


def measure(stack: Stack, repetitions: int) -> list[Figure]:
    graph = stack.apply(graphs.ticks("bench-ticks", LINES, PAUSE))
    values = []
    for _ in range(repetitions):
        run_id = stack.launch(graph)
        subscribed = time.time()
        for received in stack.follow(run_id):
            stamp = datetime.fromisoformat(received.event["ts"]).timestamp()
            if stamp > subscribed + 0.05:  # older ones are history, not live
                values.append((received.at - stamp) * 1000)
    name = "print() in a code node to an SSE client that has the line"
    return [Figure(name, "ms", values, goal="p50 30 ms")]

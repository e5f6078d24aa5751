"""`make bench`: run the scenarios and write the table. `--quick` takes 3 samples instead of 10.

n8n is measured in the same run where its command is on the PATH, or named by `N8N`.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from pathlib import Path

from benchmarks.figures import report
from benchmarks.figures.figure import Figure
from benchmarks.scenarios import (
    answers,
    code_nodes,
    compile_time,
    control_flow,
    event_latency,
    file_value,
    launch_latency,
    light_graph,
    startup,
    streams,
    throughput,
    timers,
    waiting,
    webhooks,
)
from benchmarks.systems import n8n, plain, stack

ON_STACK = {
    "light_graph": light_graph.measure,
    "answers": answers.measure,
    "launch_latency": launch_latency.measure,
    "event_latency": event_latency.measure,
    "code_nodes": code_nodes.measure,
    "control_flow": control_flow.measure,
    "throughput": throughput.measure,
    "webhooks": webhooks.measure,
}
ALONE = {
    "compile_time": compile_time.measure,
    "file_value": file_value.measure,
    "startup": startup.measure,
    "streams": streams.measure,
    "timers": timers.measure,
    "waiting": waiting.measure,
}


def main() -> None:
    """Measure ours, then plain Dagster, then write the report."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="3 samples instead of 10")
    parser.add_argument("--without-plain", action="store_true", help="leave plain Dagster out")
    parser.add_argument("scenarios", nargs="*", help=f"some of {', '.join([*ON_STACK, *ALONE])}: no report is written")
    options = parser.parse_args()
    repetitions = 3 if options.quick else 10
    wanted = set(options.scenarios) or {*ON_STACK, *ALONE}
    setting = report.setting(repetitions)
    figures = _ours(wanted, repetitions)
    _add_n8n(figures, repetitions)
    if not options.without_plain:
        _add_plain(figures, repetitions)
    flat = [figure for group in figures.values() for figure in group]
    if options.scenarios:
        print("\n".join(report.rows(flat)))
    else:
        print(report.write(setting, flat))


def _ours(wanted: set[str], repetitions: int) -> dict[str, list[Figure]]:
    figures = {}
    if wanted & ON_STACK.keys():
        with tempfile.TemporaryDirectory(prefix="headrace-bench-") as home, stack.running(Path(home)) as running:
            for name in [name for name in ON_STACK if name in wanted]:
                print(f"{name} ...", flush=True)
                figures[name] = ON_STACK[name](running, repetitions)
    for name in [name for name in ALONE if name in wanted]:
        print(f"{name} ...", flush=True)
        figures[name] = ALONE[name](repetitions)
    return figures


def _add_n8n(figures: dict[str, list[Figure]], repetitions: int) -> None:
    """Measure n8n beside what it can be compared with, if it is there."""
    command = n8n.command()
    if command is None or "answers" not in figures:
        return
    print("answers on n8n ...", flush=True)
    with n8n.running(command) as system:
        for index, values in enumerate(answers.measure_n8n(system, repetitions)):
            figures["answers"][index] = dataclasses.replace(figures["answers"][index], n8n=values)


def _add_plain(figures: dict[str, list[Figure]], repetitions: int) -> None:
    """Measure plain Dagster where a scenario has something beside it, and put it into the scenario's figures."""
    if figures.keys() & {"light_graph", "code_nodes"}:
        with plain.running() as dagster:
            if "light_graph" in figures:
                print("light_graph on plain Dagster ...", flush=True)
                _set_plain(figures["light_graph"], 0, light_graph.measure_plain(dagster, repetitions))
            if "code_nodes" in figures:
                print("code_nodes on plain Dagster ...", flush=True)
                _set_plain(figures["code_nodes"], 0, code_nodes.measure_plain(dagster))
    if "startup" in figures:
        print("startup of plain Dagster ...", flush=True)
        ready, work, idle = startup.measure_plain(max(3, repetitions // 3))
        for index, values in ((0, ready), (2, work), (3, idle)):
            _set_plain(figures["startup"], index, values)


def _set_plain(group: list[Figure], index: int, values: list[float]) -> None:
    group[index] = dataclasses.replace(group[index], plain=values)


if __name__ == "__main__":
    main()

"""Runs one test: passes of the engine over its plan, where waits are skipped, until the run has ended."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from definitions.sandbox.interpreter import CodeInterpreter
from graph_compiler.language.graph_test import GraphTest
from graph_compiler.language.params import apply
from graph_compiler.language.spec import GraphSpec
from graph_compiler.nodes.node_type import NodeTypes
from graph_compiler.values.errors import CompilationError
from graph_engine.engine import Engine
from graph_engine.given.limits import Limits
from graph_engine.journal.known import Known
from graph_engine.journal.outcome import Ended, Suspended
from graph_engine.scope.index import PlanIndex
from graph_engine.testing.memory_journal import MemoryJournal
from headrace_cli.graph_tests.clock import SkippingClock
from headrace_cli.graph_tests.comparison import Mismatch, mismatches
from headrace_cli.graph_tests.events import node_events, refusals
from headrace_cli.graph_tests.runtime import IsolatedRuntime
from headrace_cli.graph_tests.stand_ins import plan_with

TIMEOUT = 60.0
"""Real seconds of one test, unless said otherwise."""
_THREADS_PER_PROCESSOR = 4


@dataclass(frozen=True)
class Verdict:
    """How a test ended; one that could not be run to its end has an `error` instead of a comparison."""

    name: str
    status: Literal["passed", "failed", "error"]
    seconds: float
    mismatches: tuple[Mismatch, ...] = ()
    errors: tuple[str, ...] = ()


def run_test(
    spec: GraphSpec, test: GraphTest, node_types: NodeTypes, interpreter: CodeInterpreter, timeout: float = TIMEOUT
) -> Verdict:
    """Run one test of a valid document; `node_types` know the graphs that it calls."""
    began = time.monotonic()
    try:
        index = PlanIndex(plan_with(spec, test.nodes, node_types), node_types)
    except CompilationError as error:
        message = f"{error}; give the document of every graph that is called by --with"
        return Verdict(test.name, "error", time.monotonic() - began, errors=(message,))
    journal = MemoryJournal()
    ended = _executed(index, apply(spec, test.params)[0], journal, interpreter, timeout)
    seconds = time.monotonic() - began
    errors = [f"{node}: {message}" for node, message in refusals(journal.durable).items()]
    if ended.status == "CANCELED":
        errors.append(f"the run did not end within {timeout:g} s")
    if errors:
        return Verdict(test.name, "error", seconds, errors=tuple(errors))
    found = mismatches(test.expect, ended, list(node_events(journal.durable)))
    return Verdict(test.name, "failed" if found else "passed", seconds, tuple(found))


def _executed(
    index: PlanIndex, params: dict[str, object], journal: MemoryJournal, interpreter: CodeInterpreter, timeout: float
) -> Ended:
    """Execute the run. What would wait is suspended, as on a worker, and goes on at once at a later time."""
    clock, settings = SkippingClock(), index.plan.spec.settings
    runtime = IsolatedRuntime(index.plan.spec.name, params, interpreter, journal, clock)
    processors = os.cpu_count() or 1
    limits = Limits(
        max_parallel=settings.max_parallel or _THREADS_PER_PROCESSOR * processors,
        processors=processors,
        timeout=settings.timeout,
        suspend_over=0.0,
    )
    deadline = time.monotonic() + timeout
    while True:
        engine = Engine(index, runtime, journal, clock, limits=limits, known=Known().fold(journal.durable))
        with _stopping_at(deadline, engine):
            outcome = engine.run()
        if isinstance(outcome, Suspended):
            clock.skip_to(outcome.until)
        else:
            return outcome


@contextmanager
def _stopping_at(deadline: float, engine: Engine) -> Iterator[None]:
    error = {"kind": "canceled", "message": "The test did not end in time.", "node": None}
    watch = threading.Timer(max(0.0, deadline - time.monotonic()), engine.stop, ("CANCELED", error))
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()

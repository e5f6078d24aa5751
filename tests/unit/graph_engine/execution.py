"""Executes documents on a journal in memory, and tells what happened as tests/graphs/expected does."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from queue import SimpleQueue
from typing import Any, TypeVar

from graph_compiler.catalogue.node_types import builtin_node_types
from graph_compiler.checking.validation import check
from graph_compiler.language import params as graph_params
from graph_compiler.language.library import Calls, GraphLibrary
from graph_compiler.language.spec import GraphSpec
from graph_compiler.nodes.node_type import NodeTypes
from graph_compiler.nodes.runtime import Level
from graph_compiler.running.graph_node import with_calls
from graph_compiler.running.plan import GraphPlan, plan_graph
from graph_compiler.testing.memory import MemoryRuntime
from graph_compiler.values.binary import dumps
from graph_compiler.values.errors import Stopped
from graph_engine.engine import Engine
from graph_engine.given.clock import Clock
from graph_engine.given.limits import Limits
from graph_engine.journal import records
from graph_engine.journal.known import Known
from graph_engine.journal.outcome import Ended, Outcome
from graph_engine.scope.index import PlanIndex
from graph_engine.testing.jumping_clock import JumpingClock
from graph_engine.testing.memory_journal import MemoryJournal

T = TypeVar("T")


class RealClock:
    """The clocks of this machine."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def receive(self, inbox: SimpleQueue[T], seconds: float | None) -> T:
        return inbox.get(timeout=60 if seconds is None else seconds)


@dataclass
class EngineRuntime(MemoryRuntime):
    """A `MemoryRuntime` whose nodes can be stopped while they wait, and whose events go to a journal."""

    journal: MemoryJournal | None = None
    clock_in_use: Clock = field(default_factory=JumpingClock)
    canceled: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        self.canceled.set()

    def rearm(self) -> None:
        self.canceled.clear()

    def wait(self, seconds: float) -> None:
        if self.canceled.wait(seconds):
            raise Stopped("the run was canceled while this was waiting")

    def emit(
        self,
        type: str,
        message: str,
        *,
        level: Level = "info",
        node: str | None = None,
        item: int | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        assert self.journal is not None
        self.journal.append(
            records.Emitted(self.clock_in_use.now(), type, message, level, node, item, dict(data or {}))
        )


class ListenedJournal(MemoryJournal):
    """Tells a test of each record."""

    listener: Callable[[records.Record], None] = staticmethod(lambda record: None)

    def append(self, record: records.Record) -> None:
        super().append(record)
        self.listener(record)


@dataclass
class Execution:
    """A run of a document: one worker after another may go on with it."""

    index: PlanIndex
    runtime: EngineRuntime
    clock: Clock
    limits: Limits
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    known: Known | None = None
    outcome: Outcome | None = None

    def engine(self) -> Engine:
        self.runtime.journal, self.runtime.clock_in_use = self.journal, self.clock
        return Engine(
            self.index, self.runtime, self.journal, self.clock, limits=self.limits, known=self.known, chance=lambda: 0.5
        )

    def run(self) -> Execution:
        """Execute it until it ends or is suspended; answers itself."""
        self.outcome = self.engine().run()
        return self

    @property
    def ended(self) -> Ended:
        assert isinstance(self.outcome, Ended), self.outcome
        return self.outcome

    def stopped_at(self, is_time: Callable[[records.Record], bool], status: records.Status = "CANCELED") -> Execution:
        """Execute it, and end it early once a record is the one that is waited for; answers itself."""
        journal = self.journal = ListenedJournal(self.journal.durable)
        engine = self.engine()
        error = {"kind": "canceled", "message": "The run was canceled.", "node": None}
        journal.listener = lambda record: engine.stop(status, error) if is_time(record) else None
        self.outcome = engine.run()
        return self

    def resumed(self, upto: int | None = None) -> Execution:
        """The same run on another worker, which finds the first `upto` records."""
        journal = MemoryJournal(self.journal.durable[:upto], parent=self.journal.parent)
        return replace(self, journal=journal, known=journal.known(), outcome=None)

    def retried(self) -> Execution:
        """A new run from where this one failed."""
        journal = MemoryJournal(parent=self.journal)
        return replace(self, journal=journal, known=journal.known(), outcome=None)

    def set_time(self, time: float) -> None:
        """Of a jumping clock."""
        assert isinstance(self.clock, JumpingClock)
        self.clock.time = time

    def story(self) -> list[str]:
        """What the run told, as tests/graphs/expected writes it."""
        return list(story(self.journal.durable))


def execution(
    document: Mapping[str, Any],
    *,
    params: Mapping[str, Any] | None = None,
    library: GraphLibrary | None = None,
    node_types: NodeTypes | None = None,
    clock: Clock | None = None,
    limits: Limits | None = None,
    max_parallel: int | None = None,
    **runtime: Any,
) -> Execution:
    """A run of the document, which must have no issue, yet to be executed."""
    types = builtin_node_types() if node_types is None else node_types
    checked = check(json.dumps(document), syntax="json", node_types=types, library=library)
    assert checked.document is not None, checked.issues
    spec = GraphSpec.model_validate_json(checked.document)
    applied, issues = graph_params.apply(spec, params or {})
    assert not issues, issues
    bound = with_calls(types, Calls(library))
    index = PlanIndex(plan_graph(spec, bound), bound)
    settings = spec.settings
    given = limits or Limits(max_parallel or settings.max_parallel or 8, timeout=settings.timeout)
    run = {"id": "run-1", "graph": spec.name, "version": 1, "owner": "alice"}
    return Execution(index, EngineRuntime(params=applied, run=run, **runtime), clock or JumpingClock(), given)


_SAID: Mapping[type, str] = {records.Began: "node.started", records.Repeating: "node.waiting"}


def story(told: list[records.Record]) -> Iterator[str]:
    """One line for each event that the records become."""
    for record in told:
        match record:
            case records.RunBegan(_, False):
                yield from ("run.queued", "run.started")
            case records.RunEnded(_, status, error):
                ends = {"SUCCESS": "run.succeeded", "FAILURE": "run.failed", "CANCELED": "run.canceled"}
                yield ends[status] + (f" {error['node']}" if error and error["node"] else "")
            case records.Began() | records.Repeating():
                yield f"{_SAID[type(record)]} {_name(record)}"
            case records.Succeeded():
                yield from _given(record, record.outputs)
                yield f"node.succeeded {_name(record)}"
            case records.Skipped():
                yield from _skipped(record.place.name, record.place.node.called)
            case records.Retrying():
                yield f"node.retrying {_name(record)} {record.error['kind']} {record.error['attempts']}"
            case records.Failed():
                yield f"node.failed {_name(record)} {record.error['kind']} {record.error['attempts']}"
                yield from _given(record, record.outputs or {})
            case records.Emitted():
                place = "" if record.node is None else f" {record.node}"
                yield f"{record.type}{place}{'' if record.item is None else [record.item]} {record.message}"


def _name(record: Any) -> str:
    item = getattr(record, "item", None)
    return str(record.place.name) + ("" if item is None else f"[{item}]")


def _given(record: Any, outputs: Mapping[str, Any]) -> Iterator[str]:
    for port, value in outputs.items():
        yield f"node.output {_name(record)} {port}={dumps(value)}"


def _skipped(name: str, called: GraphPlan | None) -> Iterator[str]:
    yield f"node.skipped {name}"
    for inner in called.order if called is not None else ():
        yield from _skipped(f"{name}/{inner.spec.id}", inner.called)

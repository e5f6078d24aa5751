"""What all parts of one execution share. Only the engine's thread touches it, but for the inbox."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from typing import Any, NamedTuple

from graph_compiler.nodes.asking import WaitKind
from graph_compiler.values.errors import NodeError, node_error
from graph_engine.given.clock import Clock
from graph_engine.given.limits import SLOW, Limits
from graph_engine.given.runtime import Runtime
from graph_engine.journal.journal import Journal
from graph_engine.journal.known import Known
from graph_engine.journal.place import Place
from graph_engine.journal.records import Record, Wait
from graph_engine.scope.frame import Frame, Phase, Result, Task
from graph_engine.scope.index import PlanIndex
from graph_engine.scope.pool import Job, Pool
from graph_engine.scope.timers import Timer, Timers


class _Waiting(NamedTuple):
    """A task that waits for a time; `until` (since the epoch) if the run needs no worker for that."""

    timer: Timer
    until: float | None
    takes_slot: bool
    kind: WaitKind


class State:
    """The queues between the parts, the counters, and what was handed in."""

    def __init__(
        self,
        index: PlanIndex,
        runtime: Runtime,
        journal: Journal,
        clock: Clock,
        limits: Limits,
        known: Known,
        chance: Callable[[], float],
    ) -> None:
        self.runtime = runtime
        self.journal = journal
        self.clock = clock
        self.limits = limits
        self.known = known
        self.chance = chance
        self.run_deadline: float | None = None
        self.index = index
        self.root = Frame(index, "", "", runtime.params, None)
        self.ready: deque[Task] = deque()
        self.parked: deque[Task] = deque()
        """Ready, but all processors are taken."""
        self.results: deque[tuple[Task, Result]] = deque()
        self.quiet: deque[Frame] = deque()
        """Frames in which nothing is on its way any more."""
        self.inbox: SimpleQueue[Any] = SimpleQueue()
        self.pool = Pool(self.inbox)
        self.begun: list[Job] = []
        """Submitted, and not yet on a thread."""
        self.jobs: set[Job] = set()
        self.has_stuck = False
        """Whether a thread was left behind."""
        self.is_draining = False
        """Whether the run is to end, and some of its nodes still run."""
        self.held: list[Frame] = []
        """Frames whose last nodes wait for that."""
        self.postponed: list[Task] = []
        """Nodes that run last and wait for that."""
        self.timers = Timers()
        self.waits: dict[Task, _Waiting] = {}
        self.asked: dict[str, Task] = {}
        """Tasks that wait for an answer, by the key of their place."""
        self.addresses: dict[str, str] = {}
        """Where events are reported to some of them."""
        self.look_at = 0.0
        """When to look for answers, by the monotonic clock."""
        self.outputs_left: set[str] | None = set(index.output_needs) if index.plan.outputs else None
        """Nodes that the run's outputs still wait for; None if they are rendered, or there are none."""
        self.outputs: Mapping[str, Any] | None = None
        self.running = 0
        self.computing = 0
        self.slow_types: set[str] = set()

    @property
    def is_over(self) -> bool:
        """Whether the run has ended."""
        return self.root.phase is Phase.CLOSED

    def append(self, record: Record) -> None:
        self.journal.append(record)

    def end(self, task: Task, result: Result) -> None:
        """An attempt of the task, or all that it stands for, has this result."""
        self.results.append((task, result))

    def make_ready(self, frame: Frame, numbers: list[int]) -> None:
        """The nodes may begin: those of called graphs before others, so that calls end soon and few are open."""
        tasks = [Task(frame, number, self.place(frame, number)) for number in numbers]
        frame.active += len(tasks)
        if frame.call is not None:
            self.ready.extendleft(reversed(tasks))
        else:
            self.ready.extend(tasks)

    def place(self, frame: Frame, number: int) -> Place:
        """The place of a node; in graphs that stand at the same place in each run, that is made once."""
        if any(mark in frame.key for mark in "[~#"):
            return _place(frame, number)
        places = self.index.places.get(frame.key)
        if places is None:
            every = range(len(frame.index.nodes))
            places = self.index.places[frame.key] = [_place(frame, each) for each in every]
        return places[number]

    # -- time

    def wait(
        self,
        task: Task,
        seconds: float,
        act: Callable[[Task], None],
        *,
        is_running: bool = False,
        kind: WaitKind = WaitKind.TIME,
    ) -> None:
        """Have `act(task)` called after `seconds`; `is_running` says that it counts as running meanwhile.

        If that is long, the run may do without its worker meanwhile, and the task does not count.
        """

        def due(task: Task) -> None:
            self.waited(task)
            act(task)

        is_long = self.is_long(seconds)
        takes_slot = is_running and not is_long
        self.running += takes_slot
        task.frame.waiting[task] = None
        timer = self.timers.set(self.clock.monotonic() + seconds, due, task)
        until = self.clock.now() + seconds if is_long else None
        self.waits[task] = _Waiting(timer, until, takes_slot, kind)

    def waited(self, task: Task) -> None:
        """The task does not wait any more."""
        task.frame.waiting.pop(task, None)
        self.asked.pop(task.place.key, None)
        self.addresses.pop(task.place.key, None)
        waiting = self.waits.pop(task)
        waiting.timer.call_off()
        self.running -= waiting.takes_slot

    def is_long(self, seconds: float) -> bool:
        """Whether a wait is so long that the run may do without its worker."""
        return self.limits.suspend_over is not None and seconds > self.limits.suspend_over

    def long_waits(self) -> list[Wait]:
        """What the run waits for, if it waits for nothing else than long times; else nothing."""
        if self.ready or self.parked or self.jobs or any(task.frame.stop is not None for task in self.waits):
            return []
        found = [(task, waiting.until, waiting.kind) for task, waiting in self.waits.items()]
        waits = [Wait(task.place.name, task.index, until, kind) for task, until, kind in found if until is not None]
        return waits if len(waits) == len(found) else []

    def deadlines(self) -> list[float]:
        """Until when (since the epoch) what waits may wait, by the timeouts of the calls around it and of the run."""
        found = [] if self.run_deadline is None else [self.run_deadline]
        for frame in {task.frame for task in self.waits}:
            outer: Frame | None = frame
            while outer is not None:
                found += [] if outer.deadline is None else [outer.deadline]
                outer = outer.outer
        ahead = self.clock.now() - self.clock.monotonic()
        return [at + ahead for at in found]

    def time_left(self, frame: Frame | None) -> float | None:
        """Seconds that a node that begins there may take, by the timeouts of the calls around it."""
        deadlines = []
        while frame is not None:
            if frame.deadline is not None and (frame.call is not None or frame.stop is not None):
                is_last = frame.phase is not Phase.MAIN and frame.stop is None
                deadlines.append(frame.deadline + (self.limits.last_seconds if is_last else 0.0))
            frame = frame.outer
        return max(0.001, min(deadlines) - self.clock.monotonic()) if deadlines else None

    def timeout_of(self, task: Task) -> float | None:
        """Seconds that an attempt of the task may take from now."""
        limits = [limit for limit in (task.node.spec.timeout, self.time_left(task.frame)) if limit is not None]
        return min(limits, default=None)

    # -- errors

    def masked_error(self, raised: Exception) -> NodeError:
        """What a node raised, as documents know it, without secrets."""
        error = node_error(raised)
        return error.saying(self.runtime.masked(error.message))

    def must_park(self, task: Task) -> bool:
        """Whether the task computes, and no processor is free."""
        computes = task.node.node_type.uses_processor and not task.is_whole
        return computes and self.computing >= self.limits.processors

    def is_inline(self, task: Task) -> bool:
        """Whether the node is executed in this thread: it is light, and nothing has to watch over it."""
        spec, node_type = task.node.spec, task.node.node_type
        return node_type.light and spec.cache is None and spec.timeout is None and spec.type not in self.slow_types

    def note_duration(self, task: Task, seconds: float) -> None:
        """Learn from a node that was executed in this thread."""
        if seconds > SLOW and not task.node.node_type.pauses:
            self.slow_types.add(task.node.spec.type)


def _place(frame: Frame, number: int) -> Place:
    node, call = frame.index.nodes[number], frame.call
    lead, key = (f"{frame.name}/", f"{frame.key}/") if call is not None else ("", "")
    return Place(node, lead + node.spec.id, key + node.spec.id, None if call is None else call.place)

"""Keeps the processes of `headrace up` alive: starts them, restarts what crashed, ends them all."""

from __future__ import annotations

import contextlib
import os
import queue
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType

from headrace_cli.up.child import Child, Exited, Fork, Program
from headrace_cli.up.child_log import ChildLog
from platform_core.backoff import Backoff
from platform_core.ending_times import SUPERVISOR_STOP

CALM = 60.0
"""Seconds after which a child's earlier crashes are forgiven."""
_LOOK = 1.0
"""Seconds between two looks whether everything is being stopped."""
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequested(Exception):
    """A signal asked the supervisor to end."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class StartFailed(Exception):
    """A child does not come up; `log` is where its output is and `tail` the end of it."""

    def __init__(self, name: str, reason: str, log: ChildLog) -> None:
        super().__init__(f"{name} {reason}")
        self.name = name
        self.reason = reason
        self.log = log.path
        self.tail = log.tail(15)


@dataclass(frozen=True)
class _Ready:
    name: str
    pid: int


@dataclass(frozen=True)
class _Signal:
    number: int


@dataclass(frozen=True)
class _Asked:
    """Somebody connects to the socket for which these programs wait; the last of them accepts."""

    endpoint: socket.socket
    programs: tuple[Program, ...]


@dataclass
class _Place:
    """One supervised program: its present child, its log and its history."""

    program: Program
    log: ChildLog
    child: Child
    backoff: Backoff
    been_ready: bool = False
    restart_at: float | None = None


class Supervisor:
    """Supervises programs until a signal comes. Use it as a context manager in the main thread of its process.

    `say(name, text)` shows one line of the supervisor itself, `show(name, line)` one line of a child's output;
    `on_change` is called after the set of processes changed. It reaps every child of its process, orphans that the
    process adopted included.
    """

    def __init__(
        self,
        logs: Path,
        *,
        say: Callable[[str, str], None],
        show: Callable[[str, str], None],
        fork: Fork | None = None,
        backoff: Callable[[], Backoff] = lambda: Backoff(0.25, 30.0),
        start_crashes: int = 4,
        stop_timeout: float = SUPERVISOR_STOP,
    ) -> None:
        self._logs = logs
        self._say = say
        self._show = show
        self._fork = fork
        self._new_backoff = backoff
        self._start_crashes = start_crashes
        self._stop_timeout = stop_timeout
        self._places: dict[str, _Place] = {}
        self._notices: queue.SimpleQueue[_Ready | _Signal | _Asked] = queue.SimpleQueue()
        self._asked: _Asked | None = None
        self._stopping = threading.Event()
        self._previous: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}
        self.on_change: Callable[[], None] = lambda: None

    def __enter__(self) -> Supervisor:
        for number in (*STOP_SIGNALS, signal.SIGCHLD):
            self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            for number, previous in self._previous.items():
                signal.signal(number, previous)

    @property
    def pids(self) -> Mapping[str, int]:
        """The processes that run now, by program name."""
        return {name: place.child.pid for name, place in self._places.items() if place.child.alive}

    def start(self, program: Program) -> None:
        """Start a program and go on at once."""
        log = ChildLog(self._logs / f"{program.name}.log", lambda line: self._show(program.name, line))
        self._places[program.name] = _Place(program, log, self._launch(program, log), self._new_backoff())
        self.on_change()

    def start_when_asked(self, endpoint: socket.socket, programs: Sequence[Program]) -> None:
        """Start the programs once somebody connects to the listening socket; the last of them accepts.

        If that one does not come up, who waits is turned away, and the next who connects has it tried again.
        """
        self._await(_Asked(endpoint, tuple(programs)))

    def wait_ready(self, names: Iterable[str], timeout: float) -> None:
        """Supervise until all named programs work (a task: has exited with 0).

        Raises `StartFailed` when one keeps crashing or the `timeout` (seconds) passes, `StopRequested` on a signal.
        """
        waiting = list(names)
        deadline = time.monotonic() + timeout
        while late := [name for name in waiting if not self._places[name].been_ready]:
            if time.monotonic() >= deadline:
                place = self._places[late[0]]
                raise StartFailed(late[0], f"does not answer after {timeout:g} s", place.log)
            self._turn(deadline)

    def watch(self) -> None:
        """Supervise for ever. Raises `StopRequested` when a signal comes."""
        while True:
            self._turn(None)

    def stop(self) -> None:
        """End every process: all but the foundations together, then those. Another signal meanwhile kills at once."""
        self._stopping.set()
        places = list(self._places.values())
        for foundation in (False, True):
            self._end([place.child for place in places if place.program.foundation is foundation])
        for place in places:
            place.log.close()
        self._places.clear()

    def _await(self, asked: _Asked) -> None:
        def wait() -> None:
            while not self._stopping.is_set():
                if select.select([asked.endpoint], [], [], _LOOK)[0]:
                    self._notices.put(asked)
                    return

        threading.Thread(target=wait, name=f"{asked.programs[-1].name} socket", daemon=True).start()

    def _launch(self, program: Program, log: ChildLog) -> Child:
        child = Child(program, log, self._fork)
        if program.probe is not None:
            threading.Thread(
                target=self._probe, args=(program, child), name=f"{program.name} probe", daemon=True
            ).start()
        return child

    def _probe(self, program: Program, child: Child) -> None:
        assert program.probe is not None
        pause, error = 0.05, ""
        while child.alive and not self._stopping.is_set():
            try:
                if program.probe(child.started_at):
                    self._notices.put(_Ready(program.name, child.pid))
                    return
            except Exception as raised:  # what nobody foresaw is no sign of life, and does not end the probing
                if error != str(raised):
                    error = str(raised)
                    self._say(program.name, f"cannot be probed: {type(raised).__name__}: {error}")
            child.wait(pause)
            pause = min(pause * 1.2, 0.5)

    def _turn(self, deadline: float | None) -> None:
        """Wait for the next thing to happen, at most until `deadline`, and act on it."""
        times = [place.restart_at for place in self._places.values() if place.restart_at is not None]
        times += [] if deadline is None else [deadline]
        try:
            wait = max(0.0, min(times) - time.monotonic()) if times else None
            self._act(self._notices.get(timeout=wait))
        except queue.Empty:
            self._restart_due()

    def _act(self, notice: _Ready | _Signal | _Asked) -> None:
        match notice:
            case _Signal(signal.SIGCHLD):
                for exited in self._reap():
                    self._on_exit(self._places[exited.name], exited)
            case _Signal(number):
                raise StopRequested(number)
            case _Ready(name, pid):
                self._on_ready(self._places[name], pid)
            case _Asked(_, programs):
                self._asked = notice
                for program in programs:
                    self._start_again(program)

    def _reap(self) -> list[Exited]:
        """Take the status of every child that has ended; returns those that are ours, and forgets adopted ones."""
        ours = {place.child.pid: place.child for place in self._places.values() if place.child.alive}
        exited = []
        with contextlib.suppress(ChildProcessError):
            while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if ended.si_pid in ours:
                    exited.append(ours[ended.si_pid].reap())
                else:
                    os.waitpid(ended.si_pid, 0)
        return exited

    def _on_ready(self, place: _Place, pid: int) -> None:
        if pid != place.child.pid or place.restart_at is not None:
            return
        if place.been_ready:
            self._say(place.program.name, "works again")
        place.been_ready = True

    def _on_exit(self, place: _Place, exited: Exited) -> None:
        if place.program.probe is None and exited.code == 0:
            place.been_ready = True
            return
        if place.program.optional:
            place.been_ready = True
            self._say(exited.name, f"{exited.reason}; going on without it")
            return
        if exited.lived >= CALM:
            place.backoff.reset()
        delay = place.backoff.next_delay()
        task_failed = place.program.probe is None
        hopeless = not place.been_ready and place.backoff.failures >= self._start_crashes
        if self._asked is not None and place.program == self._asked.programs[-1] and hopeless:
            self._turn_away(self._asked, exited)
            return
        if task_failed or (hopeless and not self._is_asked_for(place.program)):
            raise StartFailed(exited.name, exited.reason, place.log)
        place.restart_at = time.monotonic() + delay
        self._say(exited.name, f"{exited.reason} after {exited.lived:.1f} s; starting it again in {delay:.1f} s")

    def _is_asked_for(self, program: Program) -> bool:
        return self._asked is not None and program in self._asked.programs

    def _start_again(self, program: Program) -> None:
        place = self._places.get(program.name)
        if place is None:
            self.start(program)
        elif not place.child.alive:
            place.backoff.reset()
            place.restart_at = time.monotonic()

    def _turn_away(self, asked: _Asked, exited: Exited) -> None:
        self._say(exited.name, f"{exited.reason}; it is tried again when somebody asks for it")
        asked.endpoint.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                asked.endpoint.accept()[0].close()
        self._await(asked)

    def _restart_due(self) -> None:
        now = time.monotonic()
        for place in self._places.values():
            if place.restart_at is not None and place.restart_at <= now:
                place.restart_at = None
                place.child = self._launch(place.program, place.log)
                self.on_change()

    def _end(self, children: list[Child]) -> None:
        for child in reversed(children):
            child.send(child.program.stop_signal)
        deadline = time.monotonic() + self._stop_timeout
        self._wait_for_ends(children, deadline)
        for child in children:
            if child.alive:
                self._say(child.program.name, f"did not end within {self._stop_timeout:g} s; killing it")
                child.kill()
        self._wait_for_ends(children, time.monotonic() + 5.0)

    def _wait_for_ends(self, children: list[Child], deadline: float) -> None:
        """Until all have ended, the deadline passes, or another stop signal says that there is no time for that."""
        self._reap()
        while any(child.alive for child in children):
            try:
                notice = self._notices.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return
            if notice == _Signal(signal.SIGCHLD):
                self._reap()
            elif isinstance(notice, _Signal):
                return

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._notices.put(_Signal(number))

"""One process under the supervisor: started in a process group of its own, its output logged, its end reported."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from headrace_cli.child_log import ChildLog

_LONGEST_LINE = 64 * 1024


@dataclass(frozen=True)
class Program:
    """What to run under which name.

    `probe` is given the Unix time of the start and answers whether the process works; None means that it is a task,
    which is done when it exits with 0. `options` are further arguments of `subprocess.Popen`. A `foundation` is ended
    only after all others. `shares_fate` ends what the child left in its process group when it exits.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    probe: Callable[[float], bool] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    pass_fds: tuple[int, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    foundation: bool = False
    shares_fate: bool = True


@dataclass(frozen=True)
class Exited:
    """A child ended: `code` as `subprocess` gives it, negative for a signal; `lived` in seconds."""

    name: str
    pid: int
    code: int
    lived: float

    @property
    def reason(self) -> str:
        """`exited with code 3` or `killed by SIGKILL`."""
        if self.code >= 0:
            return f"exited with code {self.code}"
        return f"killed by {signal.Signals(-self.code).name}"


class Child:
    """One start of a program. Start it from the main thread: a parent-death signal is tied to the starting thread."""

    def __init__(self, program: Program, log: ChildLog, report: Callable[[Exited], None]) -> None:
        self.program = program
        self._log = log
        self._report = report
        self.started_at = time.time()
        self._started = time.monotonic()
        self._process = subprocess.Popen(
            list(program.command),
            env=dict(program.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=program.pass_fds,
            start_new_session=True,
            **program.options,
        )
        self._ended = threading.Event()
        assert self._process.stdout is not None
        self._pump = self._thread("output", self._copy_output, self._process.stdout)
        self._waiter = self._thread("exit", self._wait)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return not self._ended.is_set()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process itself, if it still lives."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL the process and everything in its process group."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def wait(self, timeout: float) -> bool:
        """Whether the process ended within `timeout` seconds."""
        return self._ended.wait(timeout)

    def _thread(self, what: str, target: Callable[..., None], *args: Any) -> threading.Thread:
        thread = threading.Thread(target=target, args=args, name=f"{self.program.name} {what}", daemon=True)
        thread.start()
        return thread

    def _copy_output(self, output: IO[bytes]) -> None:
        with output, contextlib.suppress(ValueError):
            for line in iter(lambda: output.readline(_LONGEST_LINE), b""):
                self._log.write(line)

    def _wait(self) -> None:
        # Not reaped before the group is gone: while the leader is a zombie, its group id cannot name anything else.
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        if self.program.shares_fate:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        code = self._process.wait()
        self._pump.join(timeout=1.0)
        self._ended.set()
        self._report(Exited(self.program.name, self.pid, code, time.monotonic() - self._started))

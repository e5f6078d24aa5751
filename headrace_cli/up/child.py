"""One process under the supervisor: started in a session of its own, its output logged, its end reported once."""

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

from headrace_cli.up.child_log import ChildLog

_LONGEST_LINE = 64 * 1024


@dataclass(frozen=True)
class Program:
    """What to run under which name.

    `probe` is given the Unix time of the start and answers whether the process works; None means that it is a task,
    which is done when it exits with 0. `options` are further arguments of `subprocess.Popen`. A `foundation` is ended
    only after all others. An `optional` program is not started again. `shares_fate` ends what the child left in its
    process group when it exits.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    probe: Callable[[float], bool] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    pass_fds: tuple[int, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    foundation: bool = False
    optional: bool = False
    shares_fate: bool = True


Fork = Callable[[Program, int], int | None]
"""Starts a program with its output at a descriptor, faster than by its command; None if it cannot."""


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
    """One start of a program. Start it from the main thread: a parent-death signal is tied to the starting thread.

    Whoever reaps processes calls `reap` when this one has ended.
    """

    def __init__(self, program: Program, log: ChildLog, fork: Fork | None = None) -> None:
        self.program = program
        self.started_at = time.time()
        self._log = log
        self._started = time.monotonic()
        read_end, write_end = os.pipe()
        try:
            forked = None if fork is None else fork(program, write_end)
            self.pid = _execute(program, write_end) if forked is None else forked
        except BaseException:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)
        self._ended = threading.Event()
        self._pump = threading.Thread(target=self._copy_output, args=(os.fdopen(read_end, "rb"),), daemon=True)
        self._pump.start()

    @property
    def alive(self) -> bool:
        return not self._ended.is_set()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process itself, unless it was reaped."""
        if self.alive:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL the process and everything in its process group, unless it was reaped."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def wait(self, timeout: float) -> bool:
        """Whether the process was reaped within `timeout` seconds."""
        return self._ended.wait(timeout)

    def reap(self) -> Exited:
        """Take the exit status of the process, which has ended, and end what shares its fate."""
        if self.program.shares_fate:
            # Before it is reaped: as long as the leader is a zombie, its group id cannot name another group.
            self.kill()
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self._ended.set()
        self._pump.join(timeout=1.0)
        return Exited(self.program.name, self.pid, code, time.monotonic() - self._started)

    def _copy_output(self, output: IO[bytes]) -> None:
        with output, contextlib.suppress(ValueError):
            for line in iter(lambda: output.readline(_LONGEST_LINE), b""):
                self._log.write(line)


def _execute(program: Program, output: int) -> int:
    process = subprocess.Popen(
        list(program.command),
        env=dict(program.environment),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        pass_fds=program.pass_fds,
        start_new_session=True,
        **program.options,
    )
    # It is reaped with all other children, not by this object; a code set keeps the object from complaining.
    process.returncode = 0
    return process.pid

"""The parent of users' code: it keeps a child ready, gives it a call, and sees that nothing of the call remains.

Standard library only: it runs in a process forked from the warm interpreter, and outlives its calls.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import shutil
import signal
import socket
import traceback
from pathlib import Path
from typing import NoReturn

from definitions.sandbox import process
from definitions.sandbox.sandbox import FIRST_USER, Sandbox


class Supervisor:
    """Takes calls from `requests`, one at a time; reports each on its control socket as `[reason, wait status]`.

    The reason is one of: ended, timeout, canceled (the worker shut the control socket down or died), interrupted
    (the warm interpreter died).
    """

    def __init__(self, requests: socket.socket, user: int | None, kept: frozenset[int]) -> None:
        self._requests = requests
        self._user = user
        self._kept = kept
        self._base = Path.cwd()

    def run(self) -> NoReturn:
        """Supervise calls until the interpreter closes the socket or dies. Never returns into its code."""
        try:
            process.adopt_orphans()
            while self._serve_one():
                with contextlib.suppress(OSError):  # the interpreter is gone, which the next look tells
                    self._requests.send(b"ready")
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)

    def _serve_one(self) -> bool:
        child, inbox = self._fork()
        header, descriptors, _, _ = socket.recv_fds(self._requests, 4096, 5)
        if not header:
            self._end(child)
            self._clear(child)
            return False
        control, *others = descriptors
        try:
            socket.send_fds(inbox, [header], others)
        except OSError:  # killed while it waited
            self._end(child)
            self._clear(child)
            child, inbox = self._fork()
            socket.send_fds(inbox, [header], others)
        inbox.close()
        for descriptor in others:
            os.close(descriptor)
        timeout, *_ = json.loads(header)
        reason = self._wait(child, control, timeout)
        status = self._end(child, kill=reason != "ended")
        with socket.socket(fileno=control) as report, contextlib.suppress(OSError):  # the worker may be gone
            report.send(json.dumps([reason, status]).encode("ascii"))
        self._clear(child)
        return reason != "interrupted"

    def _fork(self) -> tuple[int, socket.socket]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid == 0:
            Sandbox(theirs, self._base, self._user, self._kept).run()
        theirs.close()
        return pid, ours

    def _wait(self, child: int, control: int, timeout: float | None) -> str:
        pidfd = os.pidfd_open(child)
        poll = select.poll()
        for descriptor in (pidfd, control, self._requests.fileno()):
            poll.register(descriptor, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll(None if timeout is None else math.ceil(timeout * 1000))}
        os.close(pidfd)
        if pidfd in ready:
            return "ended"
        if self._requests.fileno() in ready:
            return "interrupted"
        return "canceled" if ready else "timeout"

    def _end(self, child: int, *, kill: bool = True) -> int:
        """Reap the child, killed unless it has ended, and everything it started. Returns its wait status."""
        if kill:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        process.end_children(FIRST_USER + child if self._user == FIRST_USER else None)
        return status

    def _clear(self, child: int) -> None:
        shutil.rmtree(self._base / str(child), ignore_errors=True)

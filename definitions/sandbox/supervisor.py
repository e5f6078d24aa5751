"""The parent of one call: it keeps its processes ready, gives them the call, and sees that nothing of it remains.

Standard library only: it runs in a process forked from the warm interpreter, and outlives its call.
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
import struct
import traceback
from pathlib import Path
from typing import NoReturn

from definitions.sandbox import namespaces, process, proxy
from definitions.sandbox.sandbox import STATUS, Sandbox
from definitions.sandbox.walls import FIRST_USER, Walls


class Supervisor:
    """Takes one call from `requests`; reports it on its control socket as `[reason, wait status]`.

    The reason is one of: ended, timeout, canceled (the worker shut the control socket down or died), interrupted
    (the warm interpreter died, or the call's first process before the call came). With `has_proxy` the call has a
    network of its own that ends there.
    """

    def __init__(self, requests: socket.socket, walls: Walls, kept: frozenset[int], *, has_proxy: bool) -> None:
        self._has_proxy = has_proxy
        self._requests = requests
        self._walls = walls
        self._kept = kept
        self._folder = Path.cwd() / str(os.getpid())
        self._user = FIRST_USER + os.getpid() if walls.user == FIRST_USER else walls.user

    def run(self) -> NoReturn:
        """Supervise a call, or end when the interpreter closes the socket or dies. Never returns into its code."""
        try:
            process.adopt_orphans()
            self._serve()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)

    def _serve(self) -> None:
        first, inbox = self._fork()
        try:
            if not self._await_call(first):
                return
            header, descriptors, _, _ = socket.recv_fds(self._requests, 4096, 5)
            if header:
                self._supervise(first, inbox, header, descriptors)
        finally:
            self._end(first)
            shutil.rmtree(self._folder, ignore_errors=True)

    def _supervise(self, first: int, inbox: socket.socket, header: bytes, descriptors: list[int]) -> None:
        control, *others = descriptors
        try:
            socket.send_fds(inbox, [header], others)
            reason = self._wait(first, control, json.loads(header)[0])
        except OSError:  # killed just now
            reason = "interrupted"
        for descriptor in others:
            os.close(descriptor)
        status = self._end(first)
        with contextlib.suppress(OSError, struct.error):  # it ended before it could say how its code did
            status = struct.unpack(STATUS, inbox.recv(64))[0]
        with socket.socket(fileno=control) as report, contextlib.suppress(OSError):  # the worker may be gone
            report.send(json.dumps([reason, status]).encode("ascii"))

    def _fork(self) -> tuple[int, socket.socket]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        outlet = self._fork_proxy() if self._has_proxy else None
        if self._walls.has_namespaces:
            namespaces.unshare_processes(as_ourselves=self._user is None)
        pid = os.fork()
        if pid == 0:
            Sandbox(theirs, self._folder, self._user, self._walls, self._kept, outlet).run()
        theirs.close()
        if outlet is not None:
            outlet.close()
        return pid, ours

    def _fork_proxy(self) -> socket.socket:
        """Before the namespaces, since it is to stay outside of them."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if os.fork() == 0:
            proxy.run(theirs, self._user)
        theirs.close()
        return ours

    def _await_call(self, first: int) -> bool:
        """Whether a call, or the end of the interpreter, came while the call's first process was there."""
        pidfd = os.pidfd_open(first)
        poll = select.poll()
        for descriptor in (pidfd, self._requests.fileno()):
            poll.register(descriptor, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll()}
        os.close(pidfd)
        return pidfd not in ready

    def _wait(self, first: int, control: int, timeout: float | None) -> str:
        pidfd = os.pidfd_open(first)
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

    def _end(self, first: int) -> int:
        """Reap the call's first process, killed unless it has ended, and everything below it. Its wait status."""
        with contextlib.suppress(ChildProcessError):
            process.send_to_child(first, signal.SIGKILL)
            _, status = os.waitpid(first, 0)  # where it is the first of a namespace, the last: all others are gone
            process.end_children(self._user if self._walls.user == FIRST_USER else None)
            return status
        return 0

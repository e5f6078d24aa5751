"""The loop of the warm interpreter: it hands each request of the worker to a supervisor that has a child ready.

Standard library only, one thread, and no user's data: requests are read by the child that runs them.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path

from definitions.sandbox import process
from definitions.sandbox.supervisor import Supervisor
from definitions.sandbox.walls import Walls, put_up

MAX_DESCRIPTORS = 5
MAX_READY = 2


class CodeServer:
    """Serves the socket that is this process's standard input; `kept` descriptors stay open in every child."""

    def __init__(self, kept: frozenset[int], walls: Walls, ports: Sequence[int]) -> None:
        self._kept = kept
        self._walls = walls
        self._requests = socket.socket(fileno=os.dup(0))
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        with contextlib.suppress(OSError):  # some containers refuse it
            Path("/proc/self/oom_score_adj").write_text("1000", "ascii")  # let memory run out here first
        process.protect_process()
        process.adopt_orphans()
        put_up(walls, ports)
        self._poll = select.poll()
        self._supervisors: dict[int, tuple[socket.socket, int]] = {}  # by descriptor: the socket, the process id
        self._ready: list[socket.socket] = []

    def serve(self) -> None:
        """Serve until the worker's end of the socket is closed; then end every supervisor and call."""
        gc.collect()
        gc.freeze()  # forked processes would copy every page that the collector touches
        try:
            self._ready.append(self._fork())
            self._loop()
        finally:
            process.end_children()
            shutil.rmtree(Path.cwd(), ignore_errors=True)

    def _loop(self) -> None:
        self._poll.register(self._requests, select.POLLIN)
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor in self._supervisors:
                    self._hear(descriptor)
                    continue
                header, descriptors, _, _ = socket.recv_fds(self._requests, 4096, MAX_DESCRIPTORS)
                if not header:
                    return
                self._hand_over(header, descriptors)
                for passed in descriptors:
                    os.close(passed)

    def _hand_over(self, header: bytes, descriptors: list[int]) -> None:
        needs_proxy = json.loads(header)[3] == "public" and self._walls.has_namespaces
        while self._ready and not needs_proxy:  # those that are ready have none
            with contextlib.suppress(OSError):  # it died while it waited
                socket.send_fds(self._ready.pop(), [header], descriptors)
                return
        socket.send_fds(self._fork(has_proxy=needs_proxy), [header], descriptors)

    def _hear(self, descriptor: int) -> None:
        """A supervisor has ended; another takes the place of one that had a call."""
        supervisor, pid = self._supervisors.pop(descriptor)
        self._poll.unregister(descriptor)
        had_call = supervisor not in self._ready
        if not had_call:
            self._ready.remove(supervisor)
        supervisor.close()
        _, status = os.waitpid(pid, 0)
        if status != 0:  # killed, perhaps by the code it watched: what it left behind is ours now
            process.end_children(spare={pid for _, pid in self._supervisors.values()})
        if had_call and len(self._ready) < MAX_READY:
            self._ready.append(self._fork())

    def _fork(self, *, has_proxy: bool = False) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid == 0:
            process.close_all_but({0, 1, 2, theirs.fileno()} | self._kept)
            Supervisor(theirs, self._walls, self._kept, has_proxy=has_proxy).run()
        theirs.close()
        self._supervisors[ours.fileno()] = ours, pid
        self._poll.register(ours, select.POLLIN)
        return ours

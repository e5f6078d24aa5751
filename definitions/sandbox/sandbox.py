"""The first process of a call: it puts up the call's walls, forks the process that runs the code, and reaps.

Standard library only: it runs in a process forked from the warm interpreter.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import tempfile
from pathlib import Path
from typing import NoReturn

from definitions.sandbox import namespaces, process, proxy, system_calls
from definitions.sandbox.code_process import CodeProcess
from definitions.sandbox.walls import Walls

INTERPRETER_FAILED = 70
STATUS = "i"
"""Format of the wait status that goes out by the inbox, in the end."""


class Sandbox:
    """Turns a fork of the supervisor into the place where one call's code runs.

    `inbox` brings the call (see `CodeProcess`) and takes its wait status; `folder` is its own unless it has one in
    mounts of its own. With an `outlet` it has a network of its own, and sends there what the proxy is to serve.
    """

    def __init__(
        self,
        inbox: socket.socket,
        folder: Path,
        user: int | None,
        walls: Walls,
        kept: frozenset[int],
        outlet: socket.socket | None = None,
    ) -> None:
        self._outlet = outlet
        self._inbox = inbox
        self._folder = namespaces.TEMPORARY / "headrace-code" if walls.has_namespaces else folder
        self._user = user
        self._walls = walls
        self._kept = kept

    def run(self) -> NoReturn:
        """Prepare, fork, reap; exit when the code's process has ended. Never returns into the supervisor's code."""
        try:
            process.die_with_parent(signal.SIGKILL)
            os.setsid()
            process.step_back()
            passed = [end.fileno() for end in (self._inbox, self._outlet) if end is not None]
            process.close_all_but({0, 1, 2, *passed} | self._kept)
            # The first of a namespace gets no signal of those in it, unless it has asked for one.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            if self._walls.has_namespaces:
                namespaces.enter(self._walls.places, network=self._outlet is not None)
                namespaces.reopen(self._kept)
            if self._outlet is not None:
                _connect_proxy(self._outlet)
            self._arrange_folder()
            self._drop()
            child = os.fork()
            if child == 0:
                has_proxy = self._outlet is not None
                CodeProcess(self._inbox, counts_processes=self._walls.counts_processes, has_proxy=has_proxy).run()
            self._reap(child)
        except BaseException:
            os._exit(INTERPRETER_FAILED)

    def _arrange_folder(self) -> None:
        os.umask(0o077)
        self._folder.mkdir()
        os.chdir(self._folder)
        os.environ["HOME"] = os.environ["TMPDIR"] = tempfile.tempdir = str(self._folder)

    def _drop(self) -> None:
        if self._user is not None:
            os.chown(self._folder, self._user, self._user)
            process.become_user(self._user)
        elif self._walls.has_namespaces:
            namespaces.drop_capabilities()
        process.renounce_privileges()
        process.die_with_parent(signal.SIGKILL)  # again, since the change of user clears it
        # A user of its own has no right to our sockets; ourselves have, and no rule on paths keeps from connecting.
        system_calls.refuse(unix_sockets=self._user is None)

    def _reap(self, child: int) -> NoReturn:
        while True:
            pid, status = os.wait()
            if pid == child:
                self._inbox.send(struct.pack(STATUS, status))
                os._exit(0)


def _connect_proxy(outlet: socket.socket) -> None:
    with outlet, socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(proxy.ADDRESS)
        listener.listen()
        socket.send_fds(outlet, [b"x"], [listener.fileno()])
    url = "http://{}:{}".format(*proxy.ADDRESS)
    os.environ.update(dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), url))

"""The child that runs a user's code: its own session, user, folder and limits, and nothing of ours within its reach.

Standard library only: it runs in a process forked from the warm interpreter.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import resource
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any, NoReturn

from definitions.sandbox import call as code_call
from definitions.sandbox import process
from definitions.sandbox.publisher import Publisher

FIRST_USER = 2_000_000_000  # above all accounts; plus a process id, so that no two calls share a user
NOBODY = 65534
MAX_PROCESSES = 256
MAX_DESCRIPTORS = 256
MAX_FILE_BYTES = 256 * 1024 * 1024
MEMORY_RESERVE = 32 * 1024 * 1024
SHARED_MEMORY = 1024 * 1024 * 1024
INTERPRETER_FAILED = 70


def user_for_code() -> int | None:
    """Whom code runs as: `FIRST_USER` (a user for each call) where root may, else nobody, else None: ourselves."""
    for user in (FIRST_USER, NOBODY):
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(OSError):
                process.become_user(user)
                os._exit(0)
            os._exit(1)
        if os.waitpid(pid, 0)[1] == 0:
            return user
    return None


class Sandbox:
    """Turns a fork of the warm interpreter into the place where one call's code runs.

    `inbox` brings the call: its limits as `[timeout, memory, output]` (seconds, bytes), and descriptors for
    stdout, stderr, frames, and the file with code and arguments.
    """

    def __init__(self, inbox: socket.socket, base: Path, user: int | None, kept: frozenset[int]) -> None:
        self._inbox = inbox
        self._folder = base / str(os.getpid())
        self._own_user = user == FIRST_USER
        self._user = FIRST_USER + os.getpid() if self._own_user else user
        self._kept = kept

    def run(self) -> NoReturn:
        """Prepare, wait for the call, run it, write its frame, exit. Never returns into the supervisor's code."""
        try:
            os.setsid()
            process.step_back()
            process.close_all_but({0, 1, 2, self._inbox.fileno()} | self._kept)
            self._arrange_folder()
            self._drop()
            self._run_call()
        except BaseException as error:
            with contextlib.suppress(BaseException):
                os.write(2, f"The code interpreter failed: {error!r}\n".encode())
            os._exit(INTERPRETER_FAILED)
        os._exit(0)

    def _run_call(self) -> None:
        header, descriptors, _, _ = socket.recv_fds(self._inbox, 4096, 4)
        if not header:
            return
        self._inbox.close()
        stdout, stderr, frames, request = descriptors
        with open(request, "rb") as file:
            content = code_call.decode(file.read())
        for descriptor, place in ((stdout, 1), (stderr, 2)):
            os.dup2(descriptor, place)
            os.close(descriptor)
        os.set_inheritable(frames, False)
        sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.FileIO(0, closefd=False), "utf-8")  # type: ignore[misc]  # theirs is final
        sys.stdout = sys.__stdout__ = _line_writer(1)  # type: ignore[misc]  # theirs is final
        sys.stderr = sys.__stderr__ = _line_writer(2)  # type: ignore[misc]  # theirs is final
        timeout, memory_bytes, output_bytes = json.loads(header)
        self._limit(timeout, memory_bytes)
        _execute(content, output_bytes, frames)

    def _arrange_folder(self) -> None:
        os.umask(0o077)
        self._folder.mkdir()
        os.chdir(self._folder)
        os.environ["HOME"] = os.environ["TMPDIR"] = tempfile.tempdir = str(self._folder)

    def _drop(self) -> None:
        if self._user is not None:
            os.chown(self._folder, self._user, self._user)
            process.become_user(self._user)
        process.renounce_privileges()
        process.die_with_parent(signal.SIGKILL)  # after the change of user, which clears it

    def _limit(self, timeout: float | None, memory_bytes: int) -> None:
        pages = [int(count) for count in Path("/proc/self/statm").read_text("ascii").split()]
        address_space, data = pages[0] * resource.getpagesize(), pages[5] * resource.getpagesize()
        # What the code allocates is bounded by RLIMIT_DATA; shared mappings escape it, so the whole is bounded too.
        _limit(resource.RLIMIT_DATA, data + memory_bytes, MEMORY_RESERVE)
        _limit(resource.RLIMIT_AS, address_space + memory_bytes + SHARED_MEMORY, MEMORY_RESERVE)
        _limit(resource.RLIMIT_CORE, 0)
        _limit(resource.RLIMIT_FSIZE, MAX_FILE_BYTES)
        _limit(resource.RLIMIT_NOFILE, MAX_DESCRIPTORS)
        # The kernel counts the user's processes; one that is not the call's own has others, all of them at most.
        _limit(resource.RLIMIT_NPROC, MAX_PROCESSES + (0 if self._own_user else _threads_of_the_machine()))
        if timeout is not None:
            _limit(resource.RLIMIT_CPU, math.ceil(timeout) * (os.cpu_count() or 1) + 1)


def _execute(content: dict[str, Any], output_bytes: int, frames: int) -> None:
    pid = os.getpid()
    publisher = Publisher(frames)
    headrace = sys.modules.get("headrace")
    if headrace is not None:
        headrace._publish = publisher.publish  # type: ignore[attr-defined]  # what `import headrace` gives the code
    kind, body = code_call.execute(content["code"], content["arguments"], output_bytes, content["env"])
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BaseException):  # the code may have closed or replaced it
            stream.flush()
    if os.getpid() != pid:  # a fork made by the code came back here too
        return
    publisher.write(kind, body)


def _threads_of_the_machine() -> int:
    return int(Path("/proc/loadavg").read_text("ascii").split()[3].partition("/")[2])


def _line_writer(descriptor: int) -> io.TextIOWrapper:
    raw = io.FileIO(descriptor, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), "utf-8", "backslashreplace", line_buffering=True)


def _limit(limit: int, soft: int, reserve: int = 0) -> None:
    _, hard = resource.getrlimit(limit)
    if hard != resource.RLIM_INFINITY:
        soft = min(soft, hard)
        reserve = min(reserve, hard - soft)
    resource.setrlimit(limit, (soft, soft + reserve))

"""The process that runs a user's code: it waits for the call, takes its limits, and writes the frame that ends it.

Standard library only: it runs in a process forked from the warm interpreter, within the walls that sandbox has put up.
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
from pathlib import Path
from typing import Any, NoReturn

from definitions.sandbox import call as code_call
from definitions.sandbox import process, system_calls
from definitions.sandbox.publisher import Publisher

MAX_PROCESSES = 256
MAX_DESCRIPTORS = 256
MAX_FILE_BYTES = 256 * 1024 * 1024
MEMORY_RESERVE = 32 * 1024 * 1024
SHARED_MEMORY = 1024 * 1024 * 1024
INTERPRETER_FAILED = 70
_UNAVAILABLE = "This machine cannot enforce `network: {}`; `headrace doctor` says what it needs for that."


class CodeProcess:
    """Runs one call's code in this fork.

    `inbox` brings the call: its limits as `[timeout, memory, output, network]` (seconds, bytes), and descriptors for
    stdout, stderr, frames, and the file with code and arguments.
    """

    def __init__(self, inbox: socket.socket, *, counts_processes: bool, has_proxy: bool) -> None:
        self._inbox = inbox
        self._has_proxy = has_proxy
        self._counts_processes = counts_processes

    def run(self) -> NoReturn:
        """Wait for the call, run it, write its frame, exit. Never returns into the code of who forked it."""
        try:
            process.die_with_parent(signal.SIGKILL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._run_call()
        except BaseException:
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
        timeout, memory_bytes, output_bytes, network = json.loads(header)
        if not self._has(network):
            Publisher(frames).write(*code_call.refusal("network_unavailable", _UNAVAILABLE.format(network)))
            return
        self._limit(timeout, memory_bytes)
        _execute(content, output_bytes, frames)

    def _has(self, network: str) -> bool:
        """Whether the code has this of the network and no more, from here on."""
        if network == "none":
            return system_calls.refuse_network()
        return network == "all" or self._has_proxy

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
        _limit(resource.RLIMIT_NPROC, MAX_PROCESSES + (0 if self._counts_processes else _threads_of_the_machine()))
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

"""The run worker's side of users' code: a warm interpreter of its own, and calls into it that can only end one way.

The other side is child.py. What this protects from, and what not: docs/adr/0008.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from definitions.sandbox import process
from definitions.sandbox.output import OnLine, OnPublish
from definitions.sandbox.pending_call import PendingCall, Stuck
from definitions.shared.masking import Masking
from graph_compiler.nodes.network import Network
from graph_compiler.values.binary import dumps
from graph_compiler.values.errors import NodeError, Stopped

MEMORY_BYTES = 512 * 1024 * 1024
OUTPUT_BYTES = 8 * 1024 * 1024
SAFE_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ")
PROGRAM = Path(__file__).with_name("child.py")
GRACE = 5.0
MAX_TIMEOUT = 20 * 86_400.0  # milliseconds of more do not fit where poll takes them


class CodeInterpreter:
    """Owns one warm interpreter process and runs calls in forks of it. All methods are safe from any thread.

    `start` it while nothing waits, `close` it. A process that forks others may start one for all of them: each calls
    `inherit`, and the interpreter ends when the last of them has let go of it.
    """

    def __init__(
        self, *, hidden: Sequence[Path] = (), readable: Sequence[Path] = (), ports: Sequence[int] = ()
    ) -> None:
        """Code connects to none of the `ports` and sees nothing below the `hidden` paths, where the kernel can hide it.

        In there it reads what is `readable`, and where Python and programs are.
        """
        self._walls = json.dumps([[str(path) for path in hidden], [str(path) for path in readable], list(ports)])
        self._lock = threading.RLock()  # a signal handler may cancel while its thread holds it
        self._process: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None
        self._folder: Path | None = None
        self._calls: set[PendingCall] = set()
        self._closed = False
        self._is_shared = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start the interpreter unless it runs; it warms up while this process goes on."""
        with self._lock:
            self._ensure_running()

    def inherit(self) -> None:
        """Use the interpreter of the process that this one was forked from, which alone may end it.

        If that dies, this process starts one of its own.
        """
        if self._process is not None:
            self._process.returncode = 0  # not this process's child, so nothing to wait for
        self._process = self._folder = None
        self._is_shared = self._requests is not None

    def let_go(self) -> None:
        """End the interpreter when the last process that shares it has closed it; returns at once."""
        with self._lock:
            if self._requests is not None:
                self._requests.close()
                self._requests = None

    def run(
        self,
        code: str,
        arguments: Mapping[str, Any],
        *,
        env: Mapping[str, str] | None = None,
        timeout: float | None,
        on_line: OnLine,
        on_publish: OnPublish | None = None,
        memory_bytes: int = MEMORY_BYTES,
        output_bytes: int = OUTPUT_BYTES,
        masking: Masking | None = None,
        network: Network = Network.ALL,
    ) -> Any:
        """Call `main(**arguments)` of `code` in a process of its own and return the JSON value it returns.

        `env` adds environment variables.
        `timeout` is in seconds, 20 days at most. `memory_bytes` is what the code may allocate; `output_bytes`
        bounds the result's JSON and each of stdout and stderr. `on_line(stream, text)` is called in this thread
        as lines are written, without the secrets of `masking`; `on_publish(kind, content)` as the code publishes by
        `headrace`; an exception of either ends the call and comes out here. Whichever way the call ends, no process of
        it remains.

        Raises `NodeError`: code_error, code_exit, code_timeout, code_memory, code_output, bad_value,
        network_unavailable (this machine cannot enforce `network`), canceled
        (by `cancel_all` or `close`), code_interrupted (the interpreter died; the call may be tried again).
        """
        if timeout is not None:
            timeout = min(max(timeout, 0.0), MAX_TIMEOUT)
        call = PendingCall(_request(code, arguments, env or {}), on_line, on_publish, output_bytes, masking)
        try:
            self._send(call, json.dumps([timeout, memory_bytes, output_bytes, network]).encode("ascii"))
            reason, status = call.follow(None if timeout is None else timeout + 2 * GRACE)
        except Stuck:
            self._end_interpreter()
            reason, status = "timeout", 0
        finally:
            with self._lock:
                self._calls.discard(call)
            call.close()
        return _conclude(call, reason, status, timeout)

    def cancel_all(self) -> None:
        """Kill every call in flight; each raises `NodeError` canceled in its own thread."""
        with self._lock:
            for call in list(self._calls):
                call.cancel()

    def close(self) -> None:
        """Cancel every call and end the interpreter. No process and no file of it remains."""
        with self._lock:
            self._closed = True
        self.cancel_all()
        self._end_interpreter()

    def _send(self, call: PendingCall, header: bytes) -> None:
        with self._lock:
            if self._closed:
                raise Stopped("The run worker is closing.")
            try:
                call.send(self._ensure_running(), header)
            except OSError:  # it died since the last call
                call.send(self._ensure_running(restart=True), header)
            self._calls.add(call)

    def _ensure_running(self, *, restart: bool = False) -> socket.socket:
        if self._requests is not None and not restart and self._is_running():
            return self._requests
        self._discard()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        folder = Path(tempfile.mkdtemp(prefix="headrace-code-"))
        folder.chmod(0o711)  # the users that code runs as pass through to folders of their own
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-X", "utf8", str(PROGRAM), self._walls],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                cwd=folder,
                env={name: os.environ[name] for name in SAFE_ENVIRONMENT if name in os.environ},
                start_new_session=True,
            )
        self._requests, self._folder = ours, folder
        return ours

    def _is_running(self) -> bool:
        if self._process is None:
            return self._is_shared  # whether it has died shows when a call is sent
        return self._process.poll() is None

    def _end_interpreter(self) -> None:
        with self._lock:
            self._discard()

    def _discard(self) -> None:
        """End the interpreter process: by closing its socket, and if that does not do, by force."""
        if self._requests is not None:
            self._requests.close()
        if self._process is not None:
            try:
                self._process.wait(GRACE)
            except subprocess.TimeoutExpired:
                for pid in (*process.descendants(self._process.pid), self._process.pid):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                self._process.wait()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._requests = self._process = self._folder = None
        self._is_shared = False


def _request(code: str, arguments: Mapping[str, Any], env: Mapping[str, str]) -> int:
    """An unnamed file with the call's code, arguments and environment, which only its child reads."""
    try:
        body = dumps({"code": code, "arguments": dict(arguments), "env": dict(env)}).encode("ascii")
    except (TypeError, ValueError) as error:
        raise NodeError("bad_value", f"arguments: {error}", retryable=False) from None
    descriptor = os.memfd_create("request")
    with open(descriptor, "wb", closefd=False) as file:
        file.write(body)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _conclude(call: PendingCall, reason: str, status: int, timeout: float | None) -> Any:
    """The call's value, or the `NodeError` that says how it ended."""
    if call.canceled:
        raise Stopped("The code was stopped because its run is canceled.")
    if reason == "timeout":
        raise NodeError("code_timeout", f"The code did not end within {timeout:g} s and was stopped.")
    if reason != "ended":
        raise NodeError("code_interrupted", "The code interpreter died while the code ran.")
    if call.frames.complete:
        return call.frames.value()
    code = os.waitstatus_to_exitcode(status)
    if code == -signal.SIGXCPU:
        raise NodeError("code_timeout", "The code used all the processor time that it may have.")
    if code < 0:
        raise NodeError("code_exit", f"The code's process was ended by signal {-code} ({_signal_name(-code)}).")
    raise NodeError("code_exit", f"The code's process exited with status {code} and without a result.")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "real-time"

"""One call of users' code in flight, as the run worker has it: from handing it over to its supervisor's report."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import socket
import time
from collections.abc import Callable
from functools import partial

from definitions.sandbox.output import Frames, Lines, OnLine, OnPublish

LAST_WORDS = 5.0
"""Seconds in which a supervisor that was let go of ends its call."""
CHUNK = 256 * 1024
PAUSE = 5  # milliseconds in which output may gather: a flood must not wake us for each of its lines


class Stuck(Exception):
    """The supervisor of a call does not answer: the code has stopped it."""


class PendingCall:
    """One call in flight: the worker's ends of its control socket, streams and frames."""

    def __init__(self, request: int, on_line: OnLine, on_publish: OnPublish | None, output_bytes: int) -> None:
        self.canceled = False
        self._ended = False
        self.frames = Frames(output_bytes, on_publish)
        on_cut = None if on_publish is None else partial(_tell_cut, on_publish)
        self._lines = (
            Lines("stdout", on_line, output_bytes, on_cut),
            Lines("stderr", on_line, output_bytes, on_cut),
        )
        self._control, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pipes = [os.pipe() for _ in range(3)]
        feeds: list[Callable[[bytes], None]] = [*(lines.feed for lines in self._lines), self.frames.feed]
        self._feeds = {ours: feed for (ours, _), feed in zip(pipes, feeds, strict=True)}
        self._theirs = [control.detach(), *(theirs for _, theirs in pipes), request]
        self._frames_end = pipes[-1][0]
        for descriptor in self._feeds:
            os.set_blocking(descriptor, False)
            with contextlib.suppress(OSError):  # the user has too many large pipes
                fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, CHUNK)

    def send(self, requests: socket.socket, header: bytes) -> None:
        """Hand the call over. Raises OSError if nobody is there."""
        socket.send_fds(requests, [header], self._theirs)
        self._close_theirs()

    def cancel(self) -> None:
        """Ask the supervisor to kill the call; `follow` returns when it has."""
        self.canceled = True
        self._let_go()

    def follow(self, limit: float | None) -> tuple[str, int]:
        """Pass on what the code writes until its supervisor reports. Returns the reason and the wait status.

        Raises `Stuck` if it has not after `limit` seconds.
        """
        deadline = None if limit is None else time.monotonic() + limit
        control = self._control.fileno()
        pause = select.poll()
        pause.register(control, select.POLLIN)
        poll = select.poll()
        for descriptor in (control, *self._feeds):
            poll.register(descriptor, select.POLLIN)
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready = {descriptor for descriptor, _ in poll.poll(None if left is None else left * 1000)}
            if control in ready:
                return self._report()
            if left == 0.0:
                raise Stuck
            for descriptor in ready:
                if not self._read(descriptor):
                    poll.unregister(descriptor)
            if ready - {self._frames_end}:
                pause.poll(PAUSE)

    def _report(self) -> tuple[str, int]:
        report = self._control.recv(256)
        self._ended = True
        if not report:
            return "interrupted", 0
        for descriptor in self._feeds:  # nobody writes any more, so this ends
            while self._read(descriptor):
                pass
        for lines in self._lines:
            lines.finish()
        reason, status = json.loads(report)
        return reason, status

    def _read(self, descriptor: int) -> bool:
        """Feed what can be read now; false when there is nothing, now or for ever."""
        try:
            data = os.read(descriptor, CHUNK)
        except BlockingIOError:
            return False
        self._feeds[descriptor](data)
        return bool(data)

    def close(self) -> None:
        """Let go of the call. If it still runs, its supervisor kills it before this returns."""
        self._close_theirs()
        if not self._ended:
            self._let_go()
            with contextlib.suppress(OSError):
                self._control.settimeout(LAST_WORDS)
                self._control.recv(256)
        self._control.close()
        while self._feeds:
            os.close(self._feeds.popitem()[0])

    def _let_go(self) -> None:
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)

    def _close_theirs(self) -> None:
        while self._theirs:
            os.close(self._theirs.pop())


def _tell_cut(on_publish: OnPublish, stream: str, limits: str) -> None:
    message = f"The rest of {stream} was dropped: a call may write {limits}."
    on_publish("truncated", {"message": message, "of": stream, "limit": "call"})

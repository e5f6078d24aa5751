"""A call in flight, with this test as its supervisor."""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from definitions.sandbox.pending_call import PendingCall, Stuck


@dataclass
class Exchange:
    """The call, what it passed on, and the supervisor's ends: control, stdout, stderr, frames, request."""

    call: PendingCall
    lines: list[tuple[str, str]]
    header: bytes = b""
    descriptors: list[int] = field(default_factory=list)

    @property
    def control(self) -> socket.socket:
        return socket.socket(fileno=os.dup(self.descriptors[0]))

    def report(self, reason: str, status: int = 0) -> None:
        with self.control as control:
            control.send(json.dumps([reason, status]).encode())


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    lines: list[tuple[str, str]] = []
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    call = PendingCall(os.memfd_create("request"), lambda *line: lines.append(line), None, 1_000)
    with ours, theirs:
        call.send(ours, b"[1]")
        header, descriptors, _, _ = socket.recv_fds(theirs, 100, 5)
    exchange = Exchange(call, lines, header, descriptors)
    yield exchange
    for descriptor in exchange.descriptors:
        os.close(descriptor)
    call.close()


def test_the_supervisor_gets_the_header_and_all_five_ends(exchange: Exchange) -> None:
    assert (exchange.header, len(exchange.descriptors)) == (b"[1]", 5)


def test_what_was_written_before_the_report_is_passed_on_in_whole_lines(exchange: Exchange) -> None:
    os.write(exchange.descriptors[1], b"one\ntwo")
    os.write(exchange.descriptors[2], b"oh\n")
    exchange.report("ended", 256)
    assert exchange.call.follow(30) == ("ended", 256)
    assert sorted(exchange.lines) == [("stderr", "oh"), ("stdout", "one"), ("stdout", "two")]
    assert not exchange.call.frames.complete


def test_a_frame_is_the_calls_value(exchange: Exchange) -> None:
    body = b'{"a": 1}'
    os.write(exchange.descriptors[3], b"R" + struct.pack(">I", len(body)) + body)
    exchange.report("ended")
    exchange.call.follow(30)
    assert exchange.call.frames.complete
    assert exchange.call.frames.value() == {"a": 1}


def test_a_supervisor_that_went_away_interrupts_the_call(exchange: Exchange) -> None:
    os.close(exchange.descriptors.pop(0))
    assert exchange.call.follow(30) == ("interrupted", 0)


def test_a_supervisor_that_says_nothing_is_stuck(exchange: Exchange) -> None:
    with pytest.raises(Stuck):
        exchange.call.follow(0.05)
    os.close(exchange.descriptors.pop(0))


def test_canceling_tells_the_supervisor_by_the_end_of_its_control(exchange: Exchange) -> None:
    with ThreadPoolExecutor(1) as pool, exchange.control as control:
        following = pool.submit(exchange.call.follow, 30)
        exchange.call.cancel()
        assert control.recv(1) == b""
        exchange.report("killed")
        assert following.result(30) == ("killed", 0)
    assert exchange.call.canceled

"""A console that takes nothing holds nobody up."""

from __future__ import annotations

import threading

from headrace_cli.up.console import MOST, Console


def test_lines_are_printed_in_their_order() -> None:
    printed: list[str] = []
    console = Console(printed.append)
    for number in range(100):
        console.put(str(number))
    console.drain(30)
    assert printed == list(map(str, range(100)))


def test_what_a_blocked_console_cannot_take_is_left_out_and_counted() -> None:
    printed: list[str] = []
    freed, blocked = threading.Event(), threading.Event()

    def write(line: str) -> None:
        blocked.set()
        freed.wait(60)
        printed.append(line)

    console = Console(write)
    console.put("first")
    assert blocked.wait(30)
    for number in range(MOST + 5):
        console.put(str(number))
    console.drain(0.05)
    assert printed == []
    freed.set()
    console.drain(30)
    assert printed == ["first", "(5 lines were left out here: the console took none)", *map(str, range(MOST))]

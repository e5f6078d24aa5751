"""Work that is done again and again, whatever happens to it."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator

import pytest

from platform_core.backoff import Backoff
from platform_core.errors import Unavailable
from platform_core.loop import FAILURES, Loop, Loops
from tests.waiting import wait_until

Start = Callable[[Loop], Loop]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[Loop] = []

    def start(loop: Loop) -> Loop:
        loop.start()
        started.append(loop)
        return loop

    yield start
    for loop in started:
        loop.close()
        assert not loop.is_alive


def quick() -> Backoff:
    return Backoff(0.001, 0.002)


def test_work_is_done_at_once_and_whenever_it_is_woken(start: Start) -> None:
    done: queue.SimpleQueue[int] = queue.SimpleQueue()
    loop = start(Loop("work", lambda: done.put(1), every=3600))
    for _ in range(3):
        assert done.get(timeout=30) == 1
        loop.wake()


def test_work_that_waits_to_be_woken_is_done_once_for_a_burst(start: Start) -> None:
    done: queue.SimpleQueue[int] = queue.SimpleQueue()
    loop = start(Loop("work", lambda: done.put(1), every=None, settle=0.2))
    for _ in range(100):
        loop.wake()
    assert done.get(timeout=30) == 1
    loop.close()
    assert done.empty()


def test_wish_during_the_work_is_not_forgotten(start: Start) -> None:
    begun, go = queue.SimpleQueue[int](), queue.SimpleQueue[int]()

    def work() -> None:
        begun.put(1)
        go.get(timeout=30)

    loop = start(Loop("work", work, every=3600))
    begun.get(timeout=30)
    loop.wake()
    go.put(1)
    begun.get(timeout=30)
    go.put(1)


def test_failure_is_logged_with_its_trace_counted_and_repeated(caplog: pytest.LogCaptureFixture) -> None:
    failures = [ValueError("odd"), OSError("away")]
    counted: list[str] = []
    done = threading.Event()

    def work() -> None:
        if failures:
            raise failures.pop(0)
        done.set()

    loop = Loop("work", work, every=3600, away=(OSError,), backoff=quick())
    Loops(counted.append).start(loop)
    assert done.wait(30)
    wait_until(lambda: loop.failures == 0, "a success forgives")
    loop.close()
    told = [(record.levelno, record.getMessage().partition(";")[0], bool(record.exc_info)) for record in caplog.records]
    assert told == [
        (logging.ERROR, "work failed (1 in a row)", True),
        (logging.WARNING, "work failed (2 in a row)", False),
    ]
    assert counted == ["work", "work"]


def test_loop_that_fails_again_and_again_is_not_working_until_it_gets_through() -> None:
    is_odd = threading.Event()
    is_odd.set()

    def work() -> None:
        if is_odd.is_set():
            raise ValueError("odd")

    loops, loop = Loops(), Loop("work", work, every=3600, backoff=quick())
    loops.check_working()
    loops.start(loop)
    wait_until(lambda: loop.failures >= FAILURES, "it has failed often")
    with pytest.raises(Unavailable, match="Failing again and again: work"):
        loops.check_working()
    loops.check_alive()
    is_odd.clear()
    wait_until(lambda: loop.failures == 0, "it works again")
    loops.check_working()
    loop.close()
    assert loops.dead() == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_loop_whose_thread_has_died_is_seen() -> None:
    def work() -> None:
        raise SystemExit  # what no loop catches, as a defect of the loop itself

    loops, loop = Loops(), Loop("work", work)
    loops.start(loop)
    wait_until(lambda: not loop.is_alive, "its thread has ended")
    assert loops.dead() == ["work"]
    for check in (loops.check_alive, loops.check_working):
        with pytest.raises(Unavailable, match="Ended by a defect: work"):
            check()


def test_what_the_end_cuts_off_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    begun, cut = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        cut.wait(30)
        raise ValueError("cut")

    loop = Loop("work", work)
    loop.start()
    assert begun.wait(30)
    loop.closing.set()
    cut.set()
    loop.close()
    assert (loop.failures, caplog.records) == (0, [])

"""Work that a thread of its own does again and again: no exception ends it, and what watches it sees how it fares."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from platform_core.backoff import Backoff
from platform_core.errors import Unavailable

FAILURES = 3
"""Failures in a row from which a loop counts as not working."""
_CLOSE_SECONDS = 30.0


class Loop:
    """Calls `work` until it is closed: at once, then `every` seconds after it returned, or sooner once woken.

    With `every` None the work is done only when woken; what wakes it within `settle` seconds is one burst. What
    `work` raises is logged with its trace and counted, and it is called again after a pause that grows; an exception
    of the kinds `away` says that something does not answer, and is a line without a trace. Work that takes long calls
    `working` when it has got through.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], object],
        *,
        every: float | None = 0.0,
        settle: float = 0.0,
        away: tuple[type[Exception], ...] = (),
        backoff: Backoff | None = None,
        logger: logging.Logger | None = None,
    ) -> None:
        self.name = name
        self.on_failure: Callable[[str], None] = lambda _: None
        """Called with the loop's name at each failure."""
        self._work = work
        self._every = every
        self._settle = settle
        self._away = away
        self._backoff = backoff or Backoff(0.25, 30.0)
        self._logger = logger or logging.getLogger(f"headrace.{name}")
        self._closing = threading.Event()
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def is_alive(self) -> bool:
        """Whether the thread works; once started it ends only by `close`, or by a defect of its own."""
        return self._thread.is_alive()

    @property
    def failures(self) -> int:
        """How often the work has failed in a row."""
        return self._backoff.failures

    @property
    def closing(self) -> threading.Event:
        """Set once the loop is to end, for work that takes long."""
        return self._closing

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Do the work now, or again if it is under way; what has just failed keeps its pause."""
        self._woken.set()

    def working(self) -> None:
        """Forget earlier failures; called by the work itself."""
        self._backoff.reset()

    def close(self, timeout: float = _CLOSE_SECONDS) -> None:
        """End the thread when its present work returns; wait at most `timeout` seconds for it."""
        self._closing.set()
        self._woken.set()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def _run(self) -> None:
        if self._every is None:
            self._woken.wait()
        while not self._closing.wait(self._settle):
            self._woken.clear()
            if self._succeeds():
                self._woken.wait(self._every)

    def _succeeds(self) -> bool:
        """Do the work once; False after a failure and its pause."""
        try:
            self._work()
        except Exception as error:
            if not self._closing.is_set():  # what is cut off by the end fails in many ways
                self._failed(error)
            return False
        self._backoff.reset()
        return True

    def _failed(self, error: Exception) -> None:
        pause = self._backoff.next_delay()
        is_away = isinstance(error, self._away)
        text = "%s failed (%d in a row); again in %.1f s: %s"
        self._logger.log(
            logging.WARNING if is_away else logging.ERROR,
            text,
            self.name,
            self.failures,
            pause,
            str(error).strip(),
            exc_info=None if is_away else error,
        )
        self.on_failure(self.name)
        self._closing.wait(pause)


class Loops:
    """The loops of a process, as its health is judged."""

    def __init__(self, on_failure: Callable[[str], None] = lambda _: None) -> None:
        self._on_failure = on_failure
        self._loops: list[Loop] = []

    def start(self, *loops: Loop) -> None:
        """Start these, and watch them from now on."""
        for loop in loops:
            loop.on_failure = self._on_failure
            loop.start()
            self._loops.append(loop)

    def dead(self) -> list[str]:
        """Names of those whose thread has ended without being closed."""
        return [loop.name for loop in self._loops if not loop.is_alive and not loop.closing.is_set()]

    def check_alive(self) -> None:
        """Raise `Unavailable` if one is dead: this process had better end and be started again."""
        if dead := self.dead():
            raise Unavailable(f"Ended by a defect: {', '.join(dead)}.")

    def check_working(self) -> None:
        """Raise `Unavailable` if one is dead or fails again and again."""
        self.check_alive()
        failing = [loop.name for loop in self._loops if loop.failures >= FAILURES]
        if failing:
            raise Unavailable(f"Failing again and again: {', '.join(failing)}.")

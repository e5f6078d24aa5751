"""What becomes of a timer's times: which run, which were missed, and what a run that lasts does to the next one.

Pure: the clock's reading comes in, a decision goes out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from itertools import islice

from graph_compiler.language.schedule_trigger import ScheduleTrigger
from graph_compiler.triggers.fire_times import FireTimes, delay_of

GRACE = timedelta(seconds=30)
"""A tick that is no later than this is on time: it runs whatever `catch_up` says."""
MAX_CAUGHT_UP = 1_000
"""Times of one timer that are caught up at once, the latest; older ones are missed."""
MAX_COUNTED = 10_000


@dataclass(frozen=True)
class Missed:
    """Times in a row that never run; `count` is None if there are more than anybody counts."""

    first: datetime
    last: datetime
    count: int | None


@dataclass(frozen=True)
class Decision:
    """The times that run now, in order, those that never will, and where to go on."""

    fire: tuple[datetime, ...]
    missed: Missed | None
    decided_until: datetime
    look_at: datetime | None


def decide(trigger: ScheduleTrigger, key: str, decided_until: datetime, now: datetime) -> Decision:
    """Decide every time after `decided_until` that has come by `now`. `key` sets the jitter of this timer apart.

    A `decided_until` in the future means that the clock was set back: the timer goes on from now, and whoever
    records the ticks finds those times decided that come a second time.
    """
    if decided_until > now + GRACE:
        decided_until = now
    times = FireTimes(trigger)
    recent = times.latest(decided_until, now, MAX_CAUGHT_UP) if now > decided_until else []
    due = _due(trigger, key, recent, now)
    late = [time for time in due if now - time - delay_of(trigger, key, time) > GRACE]
    on_time = due[len(late) :]
    caught_up = _caught_up(trigger, late, on_time, now)
    passed = late[: len(late) - len(caught_up)]
    missed = _missed(times, passed, decided_until, recent) if due else None
    reached = due[-1] if due else decided_until
    following = next(times.after(reached), None)
    look_at = None if following is None else following + delay_of(trigger, key, following)
    return Decision((*caught_up, *on_time), missed, reached, look_at)


def _due(trigger: ScheduleTrigger, key: str, recent: list[datetime], now: datetime) -> list[datetime]:
    """Those whose jitter has passed; one that waits for it holds up those behind it, so that order is kept."""
    due = []
    for time in recent:
        if time + delay_of(trigger, key, time) > now:
            break
        due.append(time)
    return due


def _caught_up(
    trigger: ScheduleTrigger, late: list[datetime], on_time: list[datetime], now: datetime
) -> list[datetime]:
    """The end of `late` that runs after all."""
    oldest = now - timedelta(seconds=trigger.catch_up_window)
    young = [time for time in late if time >= oldest]
    if trigger.catch_up == "all":
        return young
    if trigger.catch_up == "latest" and not on_time:
        return young[-1:]
    return []


def _missed(times: FireTimes, passed: list[datetime], decided_until: datetime, recent: list[datetime]) -> Missed | None:
    older = list(islice(times.between(decided_until, recent[0]), MAX_COUNTED))
    older = [time for time in older if time < recent[0]]
    if not older and not passed:
        return None
    count = None if len(older) >= MAX_COUNTED - 1 else len(older) + len(passed)
    first = older[0] if older else passed[0]
    last = passed[-1] if passed else older[-1]
    return Missed(first, last, count)


class Verdict(Enum):
    """What a tick does in view of the runs before it."""

    RUN = "run"
    SKIP = "skip"
    WAIT = "wait"
    WAIT_INSTEAD = "wait instead"
    """It takes the place of the tick that waits."""


def overlap_verdict(overlap: str, *, is_running: bool, is_waiting: bool) -> Verdict:
    """What a tick does if a run of its timer has not ended, or another tick waits for that.

    `cancel_running` waits for the end of the run it cancels, so that two never run at once; only the last tick waits.
    """
    if overlap == "allow" or not (is_running or is_waiting):
        return Verdict.RUN
    if overlap == "skip":
        return Verdict.SKIP
    if overlap == "queue_one":
        return Verdict.SKIP if is_waiting else Verdict.WAIT
    return Verdict.WAIT_INSTEAD if is_waiting else Verdict.WAIT

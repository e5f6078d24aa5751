"""When a schedule trigger fires: its times after any moment, in order, without a clock."""

from __future__ import annotations

import hashlib
import heapq
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import takewhile

from graph_compiler.language.clock_changes import moments_of, wall_start
from graph_compiler.language.cron import parse_cron
from graph_compiler.language.recurrence import parse_recurrence
from graph_compiler.language.schedule_trigger import ScheduleTrigger

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Where `every` counts from without an anchor, so that 15m means the quarters of an hour."""
_LAST = datetime(9500, 1, 1, tzinfo=UTC)
_SHORTEST_SPAN = timedelta(minutes=1)
_WIDEN = 8


class FireTimes:
    """The times of one trigger, in UTC; jitter is not in them."""

    def __init__(self, trigger: ScheduleTrigger) -> None:
        self._trigger = trigger
        self._start = None if trigger.start is None else trigger.moment(trigger.start)
        self._end = None if trigger.end is None else trigger.moment(trigger.end)

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The times later than `moment`, each once, in order."""
        if self._start is not None and moment < self._start:
            moment = self._start - timedelta(microseconds=1)
        times = (time for time in self._unbounded(moment.astimezone(UTC)) if time > moment)
        return times if self._end is None else takewhile(self._is_before_end, times)

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """The times later than `after` up to and with `until`."""
        return takewhile(lambda time: time <= until, self.after(after))

    def latest(self, after: datetime, until: datetime, limit: int) -> list[datetime]:
        """The last `limit` times later than `after` up to `until`, in order, without counting through all others."""
        span = _SHORTEST_SPAN
        while True:
            begin = after if span >= until - after else until - span
            found = deque(self.between(begin, until), maxlen=limit)
            if len(found) == limit or begin <= after:
                return list(found)
            span *= _WIDEN

    def _is_before_end(self, time: datetime) -> bool:
        return self._end is None or time < self._end

    def _unbounded(self, moment: datetime) -> Iterator[datetime]:
        trigger = self._trigger
        if trigger.every is not None:
            return self._intervals(moment, timedelta(seconds=trigger.every))
        if trigger.at is not None:
            return iter([trigger.moment(trigger.at)])
        first = wall_start(moment, trigger.zone)
        if trigger.rrule is not None:
            assert trigger.anchor is not None
            rule = parse_recurrence(trigger.rrule, trigger.wall_time(trigger.anchor), trigger.zone)
            return moments_of(rule.wall_times(first), trigger.zone, hourly=rule.is_hourly)
        crons = [parse_cron(line) for line in trigger.lines]
        lines = [moments_of(cron.wall_times(first), trigger.zone, hourly=cron.is_hourly) for cron in crons]
        return lines[0] if len(lines) == 1 else _each_once(heapq.merge(*lines))

    def _intervals(self, moment: datetime, interval: timedelta) -> Iterator[datetime]:
        anchor = EPOCH if self._trigger.anchor is None else self._trigger.moment(self._trigger.anchor)
        number = max(0, (moment - anchor) // interval)
        while (time := anchor + number * interval) < _LAST:
            yield time
            number += 1


def delay_of(trigger: ScheduleTrigger, key: str, time: datetime) -> timedelta:
    """How much later than its time a tick begins: the same for the same `key` and time, spread over the jitter."""
    digest = hashlib.sha256(f"{key}:{time.isoformat()}".encode()).digest()
    return timedelta(seconds=trigger.jitter * int.from_bytes(digest[:6], "big") / 2**48)


def _each_once(times: Iterator[datetime]) -> Iterator[datetime]:
    last: datetime | None = None
    for time in times:
        if time != last:
            yield time
        last = time

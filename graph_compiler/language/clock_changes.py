"""Wall times of a timezone as moments in UTC, through the gaps and overlaps of its clock changes.

The rules are Dagster's, so that both show the same times. A time in a gap fires when the gap ends, a time that comes
twice fires the second time; a timer of every hour skips the hours that do not exist and fires in both that come twice.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_WIDEST_CHANGE = timedelta(hours=26)
"""No clock was ever set by more."""
_SECOND = timedelta(seconds=1)


def wall_start(moment: datetime, zone: ZoneInfo) -> datetime:
    """A naive time of the zone, early enough that no wall time before it happens after `moment`."""
    around = [(moment + side * _WIDEST_CHANGE).astimezone(zone).utcoffset() for side in (-1, 0, 1)]
    naive = moment.astimezone(zone).replace(tzinfo=None)
    return naive if len(set(around)) == 1 else naive - _WIDEST_CHANGE


def moments_of(wall_times: Iterable[datetime], zone: ZoneInfo, *, hourly: bool) -> Iterator[datetime]:
    """The moments of naive times, which come in order; the moments do too, each once."""
    waiting: list[datetime] = []
    last = datetime.min.replace(tzinfo=UTC)
    for wall in wall_times:
        moments, earliest = _moments(wall, zone, hourly)
        while waiting and waiting[0] < earliest:
            if (moment := heapq.heappop(waiting)) > last:
                yield (last := moment)
        for moment in moments:
            heapq.heappush(waiting, moment)
    while waiting:
        if (moment := heapq.heappop(waiting)) > last:
            yield (last := moment)


def _moments(wall: datetime, zone: ZoneInfo, hourly: bool) -> tuple[list[datetime], datetime]:
    """The moments of one wall time, and one before which no later wall time happens."""
    first = wall.replace(tzinfo=zone).astimezone(UTC)
    second = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if first == second:
        return [first], first
    if first < second:
        return ([first, second] if hourly else [second]), first
    change = _change(second, first, zone)
    return ([] if hourly else [change]), change


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The moment between the two at which the zone's clock is set."""
    old = before.astimezone(zone).utcoffset()
    while after - before > _SECOND:
        middle = before + timedelta(seconds=(after - before) // _SECOND // 2)
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after

"""RFC 5545 recurrence rules, bounded so that no rule can keep a process busy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from dateutil.rrule import DAILY, HOURLY, WEEKLY, rrule, rrulestr

MAX_COUNT = 10_000
HORIZON = timedelta(days=20 * 366)
"""How far a next time is looked for."""
_KEYS = (
    "FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYSETPOS", "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO",
    "BYDAY", "BYHOUR", "BYMINUTE", "BYSECOND", "BYEASTER",
)  # fmt: skip
_FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY")
_STEPS = {HOURLY: timedelta(hours=1), DAILY: timedelta(days=1), WEEKLY: timedelta(weeks=1)}
_UNTIL_UTC = re.compile(r"UNTIL=(\d{8}T\d{6})Z")


class RecurrenceError(ValueError):
    """The text is no recurrence rule that we keep; the message says why."""


class Recurrence:
    """A rule counted from `anchor`, a naive time of `zone`. Raises `RecurrenceError`."""

    def __init__(self, text: str, anchor: datetime, zone: ZoneInfo) -> None:
        rule = text.strip().upper().removeprefix("RRULE:")
        _demand_known(rule)
        try:
            found = rrulestr(_UNTIL_UTC.sub(lambda match: _local_until(match[1], zone), rule), dtstart=anchor)
        except (ValueError, TypeError, OverflowError) as error:
            raise RecurrenceError(f"no recurrence rule: {error}") from None
        assert isinstance(found, rrule)
        self._rule = found
        if self._count is not None and self._count > MAX_COUNT:
            raise RecurrenceError(f"COUNT={self._count}; {MAX_COUNT} is the limit")
        if next(self.wall_times(anchor), None) is None:
            raise RecurrenceError("no day is like that, so it would never fire")

    @property
    def is_hourly(self) -> bool:
        """Whether it fires in each hour: then a clock change adds or skips an hour of it."""
        return bool(self._rule._freq == HOURLY and not self._rule._byhour)

    @property
    def _count(self) -> int | None:
        count: int | None = self._rule._count
        return count

    def wall_times(self, first: datetime) -> Iterator[datetime]:
        """The naive times from `first` on, in order, up to `HORIZON` later."""
        last = first + min(HORIZON, datetime.max - first)
        until = self._rule._until
        rule = self._rule.replace(until=last if until is None else min(last, until), **self._shifted_start(first))
        return (moment for moment in rule if moment >= first)

    def _shifted_start(self, first: datetime) -> dict[str, datetime]:
        """A later start of the same rule, so that years of an hourly rule are not counted through."""
        start: datetime = self._rule._dtstart
        step = _STEPS.get(self._rule._freq)
        if step is None or self._count is not None or first <= start:
            return {}
        step *= self._rule._interval
        return {"dtstart": start + max(0, (first - start) // step - 1) * step}


@lru_cache(maxsize=5_000)
def parse_recurrence(text: str, anchor: datetime, zone: ZoneInfo) -> Recurrence:
    """Raises `RecurrenceError`."""
    return Recurrence(text, anchor, zone)


def _demand_known(rule: str) -> None:
    parts = dict(part.partition("=")[::2] for part in rule.split(";"))
    unknown = [key for key in parts if key not in _KEYS]
    if unknown:
        raise RecurrenceError(f"`{unknown[0]}` is no part of a rule like FREQ=WEEKLY;BYDAY=MO,FR;BYHOUR=9")
    if parts.get("FREQ") not in _FREQUENCIES:
        raise RecurrenceError(f"FREQ is one of {', '.join(_FREQUENCIES)}; `every` and `cron` fire more often")
    if not re.fullmatch(r"[1-9]\d{0,4}", parts.get("INTERVAL", "1")):
        raise RecurrenceError("INTERVAL is a number from 1 to 99999")


def _local_until(text: str, zone: ZoneInfo) -> str:
    moment = datetime.strptime(text, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    return f"UNTIL={moment.astimezone(zone):%Y%m%dT%H%M%S}"

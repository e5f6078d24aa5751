"""RFC 5545 recurrence rules, bounded so that no rule can keep a process busy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import takewhile
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

MAX_COUNT = 10_000
HORIZON = timedelta(days=20 * 366)
"""How far a next time is looked for."""
_KEYS = (
    "FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYSETPOS", "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO",
    "BYDAY", "BYHOUR", "BYMINUTE", "BYSECOND", "BYEASTER",
)  # fmt: skip
_FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY")
_STEPS = {"HOURLY": timedelta(hours=1), "DAILY": timedelta(days=1), "WEEKLY": timedelta(weeks=1)}
_BASIC = "%Y%m%dT%H%M%S"


class RecurrenceError(ValueError):
    """The text is no recurrence rule that we keep; the message says why."""


class Recurrence:
    """A rule counted from `anchor`, a naive time of `zone`. Raises `RecurrenceError`."""

    def __init__(self, text: str, anchor: datetime, zone: ZoneInfo) -> None:
        self._anchor = anchor
        self._parts = _parts_of(text)
        self._has_count = "COUNT" in self._parts
        try:
            self._until = _until(self._parts.pop("UNTIL", None), zone)
            first = next(self.wall_times(anchor), None)
        except (ValueError, TypeError, OverflowError) as error:
            raise RecurrenceError(f"no recurrence rule: {error}") from None
        if first is None:
            raise RecurrenceError("no day is like that, so it would never fire")

    @property
    def is_hourly(self) -> bool:
        """Whether it fires in each hour: then a clock change adds or skips an hour of it."""
        return self._parts["FREQ"] == "HOURLY" and "BYHOUR" not in self._parts

    def wall_times(self, first: datetime) -> Iterator[datetime]:
        """The naive times from `first` on, in order, up to `HORIZON` after it or the anchor."""
        begin = max(first, self._anchor)
        last = begin + min(HORIZON, datetime.max - begin)
        if self._until is not None:
            last = min(last, self._until)
        # A rule may not have both COUNT and UNTIL; one with COUNT ends by itself.
        bound = {} if self._has_count else {"UNTIL": last.strftime(_BASIC)}
        text = ";".join(f"{key}={value}" for key, value in (self._parts | bound).items())
        times: Iterator[datetime] = iter(rrulestr(text, dtstart=self._start(first)))
        return takewhile(lambda time: time <= last, (time for time in times if time >= first))

    def _start(self, first: datetime) -> datetime:
        """The anchor, or a later start of the same rule, so that years of an hourly one are not counted through."""
        step = _STEPS.get(self._parts["FREQ"])
        if step is None or self._has_count or first <= self._anchor:
            return self._anchor
        step *= int(self._parts.get("INTERVAL", "1"))
        return self._anchor + max(0, (first - self._anchor) // step - 1) * step


@lru_cache(maxsize=5_000)
def parse_recurrence(text: str, anchor: datetime, zone: ZoneInfo) -> Recurrence:
    """Raises `RecurrenceError`."""
    return Recurrence(text, anchor, zone)


def _parts_of(text: str) -> dict[str, str]:
    rule = text.strip().upper().removeprefix("RRULE:")
    parts = dict(part.partition("=")[::2] for part in rule.split(";"))
    unknown = [key for key in parts if key not in _KEYS]
    if unknown:
        raise RecurrenceError(f"`{unknown[0]}` is no part of a rule like FREQ=WEEKLY;BYDAY=MO,FR;BYHOUR=9")
    if parts.get("FREQ") not in _FREQUENCIES:
        raise RecurrenceError(f"FREQ is one of {', '.join(_FREQUENCIES)}; `every` and `cron` fire more often")
    if not re.fullmatch(r"[1-9]\d{0,4}", parts.get("INTERVAL", "1")):
        raise RecurrenceError("INTERVAL is a number from 1 to 99999")
    if not re.fullmatch(r"[1-9]\d{0,18}", count := parts.get("COUNT", "1")) or int(count) > MAX_COUNT:
        raise RecurrenceError(f"COUNT is a number from 1 to {MAX_COUNT}")
    if "COUNT" in parts and "UNTIL" in parts:
        raise RecurrenceError("a rule has either COUNT or UNTIL")
    return parts


def _until(text: str | None, zone: ZoneInfo) -> datetime | None:
    """The rule's last moment as a naive time of the zone."""
    if text is None:
        return None
    if "T" not in text:
        return datetime.strptime(text, "%Y%m%d")
    if text.endswith("Z"):
        moment = datetime.strptime(text, f"{_BASIC}Z").replace(tzinfo=UTC)
        return moment.astimezone(zone).replace(tzinfo=None)
    return datetime.strptime(text, _BASIC)

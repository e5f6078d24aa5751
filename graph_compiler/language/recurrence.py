"""RFC 5545 recurrence rules, bounded so that no rule can keep a process busy.

dateutil looks for the next time up to the year 9999, however far away that is. Two facts bound its work:

- The Gregorian calendar repeats every 400 years, to the day of the week. So a rule is followed at the end of dateutil's
  calendar, as many cycles later as there are, where less than one cycle is left, and its times are moved back.
- The days of a rule are among those of the yearly rule with the same parts for days. If that has none in a whole cycle,
  the rule never fires. Of what is left, an interval that never meets its days takes steps so large that they are few,
  and a position that no period has is known from the length of the period.

Easter does not repeat: rules with BYEASTER are followed where they are, after the yearly rule has been looked through.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import MAXYEAR, UTC, datetime, time, timedelta
from functools import lru_cache
from itertools import takewhile
from math import prod
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
_CYCLE = 400
"""Years after which the calendar repeats: 146,097 days, which are whole weeks."""
_DAY_PARTS = ("BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYDAY", "BYEASTER")
_DAYS = {"YEARLY": 366, "MONTHLY": 31, "WEEKLY": 7, "DAILY": 1, "HOURLY": 1}
"""The most days that a period of a rule has."""
_NEVER = "no day is like that, so it would never fire"


class RecurrenceError(ValueError):
    """The text is not a recurrence rule that is kept; the message says why."""


class Recurrence:
    """A rule counted from `anchor`, a naive time of `zone`. Raises `RecurrenceError`."""

    def __init__(self, text: str, anchor: datetime, zone: ZoneInfo) -> None:
        self._anchor = anchor
        self._parts = _parts_of(text)
        self._has_count = "COUNT" in self._parts
        try:
            if not _has_days(self._parts, anchor) or not _has_positions(self._parts):
                raise RecurrenceError(_NEVER)
            self._until = _until(self._parts.pop("UNTIL", None), zone)
            first = next(self.wall_times(anchor), None)
        except RecurrenceError:
            raise
        except (ValueError, TypeError, IndexError, OverflowError) as error:
            raise RecurrenceError(f"not a recurrence rule: {error}") from None
        if first is None:
            raise RecurrenceError(_NEVER)

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
        years = 0 if "BYEASTER" in self._parts else (MAXYEAR - last.year) // _CYCLE * _CYCLE
        # A rule may not have both COUNT and UNTIL; one with COUNT ends by itself.
        bound = {} if self._has_count else {"UNTIL": _moved(last, years).strftime(_BASIC)}
        times = (_moved(time, -years) for time in _times(self._parts | bound, _moved(self._start(first), years)))
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
        raise RecurrenceError(f"`{unknown[0]}` is not a part of a rule like FREQ=WEEKLY;BYDAY=MO,FR;BYHOUR=9")
    if parts.get("FREQ") not in _FREQUENCIES:
        raise RecurrenceError(f"FREQ is one of {', '.join(_FREQUENCIES)}; `every` and `cron` fire more often")
    if not re.fullmatch(r"[1-9]\d{0,4}", parts.get("INTERVAL", "1")):
        raise RecurrenceError("INTERVAL is a number from 1 to 99999")
    if not re.fullmatch(r"[1-9]\d{0,18}", count := parts.get("COUNT", "1")) or int(count) > MAX_COUNT:
        raise RecurrenceError(f"COUNT is a number from 1 to {MAX_COUNT}")
    if "COUNT" in parts and "UNTIL" in parts:
        raise RecurrenceError("a rule has either COUNT or UNTIL")
    return parts


def _moved(time: datetime, years: int) -> datetime:
    """The same day and time whole cycles of the calendar later, or earlier."""
    return time.replace(year=time.year + years)


def _times(parts: Mapping[str, str], start: datetime) -> Iterator[datetime]:
    text = ";".join(f"{key}={value}" for key, value in parts.items())
    with suppress(OverflowError):  # a week may reach beyond the last year
        yield from rrulestr(text, dtstart=start)


def _has_days(parts: Mapping[str, str], anchor: datetime) -> bool:
    """Whether any year has a day that the parts for days allow; raises as dateutil does."""
    days = {key: parts[key] for key in ("BYMONTH", "WKST", *_DAY_PARTS) if key in parts}
    if not days.keys() & set(_DAY_PARTS):
        return True
    if "BYDAY" in days:  # without ordinals: some frequencies count them, others ignore them
        days["BYDAY"] = re.sub(r"(^|,)[+-]?\d+", r"\1", days["BYDAY"])
    begin = anchor.year if "BYEASTER" in days else MAXYEAR - _CYCLE + 1
    return next(_times({"FREQ": "YEARLY"} | days, datetime(begin, 1, 1)), None) is not None


def _has_positions(parts: Mapping[str, str]) -> bool:
    """Whether a period may have as many times as the lowest of the positions counts."""
    if "BYSETPOS" not in parts:
        return True
    clock = ("BYHOUR", "BYMINUTE", "BYSECOND")[parts["FREQ"] == "HOURLY" :]
    times = prod(len({int(value) for value in parts[key].split(",")}) for key in clock if key in parts)
    return min(abs(int(position)) for position in parts["BYSETPOS"].split(",")) <= _DAYS[parts["FREQ"]] * times


def _until(text: str | None, zone: ZoneInfo) -> datetime | None:
    """The rule's last moment as a naive time of the zone."""
    if text is None:
        return None
    if "T" not in text:  # the whole day, as calendars read it
        return datetime.combine(datetime.strptime(text, "%Y%m%d"), time.max)
    if text.endswith("Z"):
        moment = datetime.strptime(text, f"{_BASIC}Z").replace(tzinfo=UTC)
        return moment.astimezone(zone).replace(tzinfo=None)
    return datetime.strptime(text, _BASIC)

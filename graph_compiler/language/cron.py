"""Cron lines: five fields, six with seconds in front, or `@daily` and its like; and the wall times they name."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache

HORIZON = timedelta(days=40 * 366)
"""How far a next time is looked for: longer than any two leap days with one weekday are apart."""
_ALIASES = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip
_MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
_WEEKDAYS = {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_PART = re.compile(r"(?P<first>\*|\w+)(?:-(?P<last>\w+))?(?:/(?P<step>\d{1,4}))?", re.ASCII)
_NTH = re.compile(r"(?P<weekday>\w+)#(?P<nth>[1-5])", re.ASCII)


class CronError(ValueError):
    """The line is no cron line; the message says why."""


@dataclass(frozen=True)
class _Field:
    name: str
    low: int
    high: int
    words: dict[str, int]


_FIELDS = (
    _Field("second", 0, 59, {}),
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day", 1, 31, {}),
    _Field("month", 1, 12, _MONTHS),
    _Field("weekday", 0, 7, _WEEKDAYS),
)


@dataclass(frozen=True)
class Cron:
    """One line, understood; days are free (None) where the line says `*`."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int] | None
    last_day: bool
    months: frozenset[int]
    weekdays: frozenset[int] | None
    nth_weekdays: frozenset[tuple[int, int]]
    has_seconds: bool

    @property
    def is_hourly(self) -> bool:
        """Whether it fires in each hour: then a clock change adds or skips an hour of it, as Dagster does."""
        return len(self.hours) == 24

    @property
    def is_common(self) -> bool:
        """Whether Dagster's cron can say it: no seconds, and an nth weekday only by itself."""
        is_nth_alone = self.weekdays is None and self.days is None and not self.last_day
        return not self.has_seconds and (not self.nth_weekdays or is_nth_alone)

    def falls_on(self, day: date) -> bool:
        """Whether it fires on this day; with both a day and a weekday, either is enough, as in every cron."""
        if day.month not in self.months:
            return False
        free_day = self.days is None and not self.last_day
        free_weekday = self.weekdays is None and not self.nth_weekdays
        by_day = self._on_day(day)
        by_weekday = self._on_weekday(day)
        if free_day or free_weekday:
            return (free_day or by_day) and (free_weekday or by_weekday)
        return by_day or by_weekday

    def _on_day(self, day: date) -> bool:
        if self.last_day and day.day == calendar.monthrange(day.year, day.month)[1]:
            return True
        return self.days is not None and day.day in self.days

    def _on_weekday(self, day: date) -> bool:
        weekday = day.isoweekday() % 7
        if (weekday, (day.day + 6) // 7) in self.nth_weekdays:
            return True
        return self.weekdays is not None and weekday in self.weekdays

    def wall_times(self, first: datetime) -> Iterator[datetime]:
        """The naive times from `first` on, in order, up to `HORIZON` later."""
        for offset in range(min(HORIZON, datetime.max - first).days):
            day = first.date() + timedelta(days=offset)
            if self.falls_on(day):
                start = first.time() if offset == 0 else time.min
                for moment in self._times(start):
                    yield datetime.combine(day, moment)

    def _times(self, start: time) -> Iterator[time]:
        for hour in self.hours:
            if hour < start.hour:
                continue
            for minute in self.minutes:
                if (hour, minute) < (start.hour, start.minute):
                    continue
                for second in self.seconds:
                    moment = time(hour, minute, second)
                    if moment >= start:
                        yield moment


@lru_cache(maxsize=20_000)
def parse_cron(line: str) -> Cron:
    """Raises `CronError` for a line that is none, and for one that never fires."""
    text = " ".join(line.split())
    parts = _ALIASES.get(text.lower(), text).lower().split(" ")
    if len(parts) not in (5, 6):
        raise CronError(f"a cron line has 5 fields, or 6 with seconds in front, or is one of {', '.join(_ALIASES)}")
    has_seconds = len(parts) == 6
    if not has_seconds:
        parts = ["0", *parts]
    second, minute, hour, day, month, weekday = zip(_FIELDS, parts, strict=True)
    nth = frozenset(_nth_weekdays(*weekday))
    plain_weekday = ",".join(part for part in weekday[1].split(",") if "#" not in part)
    plain_day = ",".join(part for part in day[1].split(",") if part != "l")
    weekdays = _days(weekday[0], plain_weekday)
    cron = Cron(
        seconds=tuple(sorted(_values(*second))),
        minutes=tuple(sorted(_values(*minute))),
        hours=tuple(sorted(_values(*hour))),
        days=_days(day[0], plain_day),
        last_day=plain_day != day[1],
        months=frozenset(_values(*month)),
        weekdays=None if weekdays is None else frozenset(value % 7 for value in weekdays),
        nth_weekdays=nth,
        has_seconds=has_seconds,
    )
    if next(cron.wall_times(datetime(2000, 1, 1)), None) is None:
        raise CronError("no day is like that, so it would never fire")
    return cron


def _nth_weekdays(field: _Field, text: str) -> Iterator[tuple[int, int]]:
    for part in text.split(","):
        if "#" in part:
            match = _NTH.fullmatch(part)
            if match is None:
                raise CronError(f"`{part}` in the weekday is not written like `mon#1`")
            yield _value(field, match["weekday"]) % 7, int(match["nth"])


def _days(field: _Field, text: str) -> frozenset[int] | None:
    """The values, or None where the line leaves the field free, which `*/1` does not."""
    return None if text in ("*", "?", "") else frozenset(_values(field, text))


def _values(field: _Field, text: str) -> set[int]:
    values: set[int] = set()
    for part in text.split(","):
        values |= _part(field, part)
    return values


def _part(field: _Field, text: str) -> set[int]:
    match = _PART.fullmatch(text)
    if match is None:
        raise CronError(f"`{text}` is no {field.name}")
    step = int(match["step"] or 1)
    if match["first"] == "*":
        first, last = field.low, field.high
        if match["last"]:
            raise CronError(f"`{text}` is no {field.name}")
    else:
        first = _value(field, match["first"])
        last = _value(field, match["last"]) if match["last"] else (field.high if match["step"] else first)
    if field.name == "weekday" and last == 7 and match["first"] == "*":
        last = 6
    if match["step"] and not 1 <= step <= field.high - field.low + 1:
        raise CronError(
            f"a step of {step} does not fit into the {field.name}s ({field.low} to {field.high}); "
            "`every` counts any interval"
        )
    if first > last and not (field.name == "weekday" and match["last"]):
        raise CronError(f"`{text}`: {first} comes after {last}")
    if first > last:
        last += 7
    return {value % 7 if field.name == "weekday" else value for value in range(first, last + 1, step)}


def _value(field: _Field, text: str) -> int:
    if text in field.words:
        return field.words[text]
    if not text.isdecimal() or not field.low <= int(text) <= field.high:
        raise CronError(f"`{text}` is no {field.name} ({field.low} to {field.high})")
    return int(text)

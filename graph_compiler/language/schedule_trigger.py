"""Schedule triggers in the document: when they fire, and what happens when a run lasts or a time was missed."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from graph_compiler.language.clock_changes import moments_of
from graph_compiler.language.cron import CronError, parse_cron
from graph_compiler.language.recurrence import RecurrenceError, parse_recurrence
from graph_compiler.values.durations import Duration
from graph_compiler.values.model import Model, TriggerId

SHORTEST = 1.0
"""Seconds of the shortest interval."""
LONGEST_JITTER = 86_400.0
MAX_CRON_LINES = 20
TIMING = ("cron", "every", "at", "rrule", "anchor", "timezone", "start", "end", "jitter")
"""The keys that say when a timer fires; a change of another never moves a time."""


@lru_cache(maxsize=1_000)
def timezone(name: str) -> ZoneInfo:
    """The IANA timezone. Raises ValueError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"`{name}` is no timezone of the IANA database, such as Europe/Berlin or UTC") from None


def _checked_timezone(name: str) -> str:
    try:
        timezone(name)
    except ValueError as error:
        raise PydanticCustomError("bad_timezone", "{reason}", {"reason": str(error)}) from None
    return name


def _checked_cron(lines: str | list[str]) -> str | list[str]:
    for line in [lines] if isinstance(lines, str) else lines:
        try:
            parse_cron(line)
        except CronError as error:
            raise PydanticCustomError("bad_cron", "`{line}`: {reason}", {"line": line, "reason": str(error)}) from None
    return lines


def _checked_time(text: str) -> str:
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        parsed = None
    if parsed is None or not 1900 <= parsed.year <= 9000:
        reason = f"`{text}` is no time like 2026-03-01T09:30 (of the trigger's timezone) or 2026-03-01T09:30:00Z"
        raise PydanticCustomError("bad_time", "{reason}", {"reason": reason})
    return text


def _wall_time(text: str, zone: ZoneInfo) -> datetime:
    parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo is None else parsed.astimezone(zone).replace(tzinfo=None)


Time = Annotated[str, AfterValidator(_checked_time)]


class ScheduleTrigger(Model):
    """Starts a run at each of its times."""

    id: TriggerId
    type: Literal["schedule"]
    enabled: bool = Field(default=True, description="Whether it fires from the first save on.")
    cron: Annotated[str | list[str], AfterValidator(_checked_cron)] | None = Field(
        default=None,
        description="Cron lines of 5 fields, of 6 with seconds in front, or `@daily` and its like.",
        examples=["0 3 * * *", ["0 9 * * mon-fri", "0 12 * * sat"], "*/10 * * * * *"],
    )
    every: Duration | None = Field(
        default=None, description="An interval, counted from `anchor`.", examples=["90s", "36h"]
    )
    at: Time | None = Field(default=None, description="The one time it fires.", examples=["2026-12-31T23:59"])
    timezone: Annotated[str, AfterValidator(_checked_timezone)] = Field(
        default="UTC", description="IANA name.", examples=["Europe/Berlin"]
    )
    anchor: Time | None = Field(
        default=None, description="Where `every` (1970-01-01T00:00Z without it) and `rrule` count from."
    )
    rrule: str | None = Field(
        default=None,
        description="A rule of RFC 5545, counted from `anchor`.",
        examples=["FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=17;BYMINUTE=0;BYSECOND=0"],
    )
    start: Time | None = Field(default=None, description="No time before this one.")
    end: Time | None = Field(default=None, description="No time at or after this one.")
    jitter: Duration = Field(
        default=0.0, le=LONGEST_JITTER, description="A run begins up to so much later, each time differently."
    )
    overlap: Literal["allow", "skip", "queue_one", "cancel_running"] = Field(
        default="allow", description="What a time does while a run of this trigger has not ended."
    )
    catch_up: Literal["none", "latest", "all"] = Field(
        default="latest", description="Which times run that were missed because nothing could fire them."
    )
    catch_up_window: Duration = Field(default=86_400.0, description="Missed times older than this never run.")
    params: dict[str, Any] = Field(
        default_factory=dict,
        description="The run's params; templates see trigger and tick.",
        examples=[{"day": "{{ tick.date }}"}],
    )

    @field_validator("cron")
    @classmethod
    def _some_lines(cls, lines: str | list[str] | None) -> str | list[str] | None:
        if isinstance(lines, list) and not 1 <= len(lines) <= MAX_CRON_LINES:
            raise PydanticCustomError("bad_value", "1 to {limit} lines", {"limit": MAX_CRON_LINES})
        return lines

    @field_validator("every")
    @classmethod
    def _not_too_often(cls, seconds: float | None) -> float | None:
        if seconds is not None and seconds < SHORTEST:
            raise PydanticCustomError("bad_value", "the shortest interval is 1s")
        return seconds

    @field_validator("rrule")
    @classmethod
    def _is_a_rule(cls, rule: str | None, info: ValidationInfo) -> str | None:
        if rule is not None:
            zone = timezone(info.data.get("timezone", "UTC"))
            try:
                parse_recurrence(rule, _wall_time(info.data.get("anchor") or "2000-01-01", zone), zone)
            except RecurrenceError as error:
                raise PydanticCustomError("bad_rrule", "{reason}", {"reason": str(error)}) from None
        return rule

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [name for name in ("cron", "every", "at", "rrule") if getattr(self, name) is not None]
        if len(given) != 1:
            reason = "none is given" if not given else f"{' and '.join(f'`{name}`' for name in given)} are given"
            message = "a schedule trigger has exactly one of `cron`, `every`, `at` and `rrule`; {reason}"
            raise PydanticCustomError("bad_timing", message, {"reason": reason})
        if self.anchor is not None and given[0] not in ("every", "rrule"):
            raise PydanticCustomError("bad_timing", "only `every` and `rrule` count from an `anchor`")
        if self.start and self.end and self.moment(self.start) >= self.moment(self.end):
            raise PydanticCustomError("bad_timing", "`start` is not before `end`")
        if self.rrule is not None and self.anchor is None:
            raise PydanticCustomError("bad_timing", "an `rrule` counts from an `anchor`, and there is none")
        return self

    @property
    def zone(self) -> ZoneInfo:
        return timezone(self.timezone)

    @property
    def lines(self) -> list[str]:
        """The cron lines, none for another kind."""
        return [self.cron] if isinstance(self.cron, str) else list(self.cron or ())

    @property
    def is_plain_cron(self) -> bool:
        """Whether Dagster can say the same: common cron lines without bounds or jitter."""
        bounded = self.start is not None or self.end is not None or self.jitter > 0
        return bool(self.lines) and not bounded and all(parse_cron(line).is_common for line in self.lines)

    def moment(self, text: str) -> datetime:
        """A time of the document in UTC; without an offset it is the zone's, through its clock changes."""
        parsed = datetime.fromisoformat(text)
        if parsed.tzinfo is not None:
            return parsed.astimezone(UTC)
        return next(moments_of([parsed], self.zone, hourly=False))

    def wall_time(self, text: str) -> datetime:
        """A time of the document as a naive time of the trigger's zone."""
        return _wall_time(text, self.zone)

    def timing(self) -> dict[str, Any]:
        """What says when it fires."""
        return self.model_dump(mode="json", include=set(TIMING))

"""Shapes of triggers, their times and their ticks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field

from graph_compiler.language.schedule_trigger import ScheduleTrigger
from graph_compiler.triggers.fire_times import FireTimes
from graph_compiler.triggers.triggers import iso
from platform_core.triggers.tick_store import Tick
from platform_core.triggers.timer_store import SCHEDULE
from platform_core.triggers.trigger_store import Trigger
from trigger_api.shared.links import Links
from trigger_api.shared.schemas import Answer, RequestBody

MAX_PARALLEL = 100

_IfAny = Field(exclude_if=lambda value: value is None)


class TriggerAnswer(Answer):
    """A trigger of a graph's current version; a webhook's `url` stays the same through all versions."""

    id: str
    type: str
    enabled: bool
    url: Annotated[str | None, _IfAny] = None
    verify: Annotated[dict[str, Any] | None, _IfAny] = None
    timing: Annotated[dict[str, Any] | None, _IfAny] = None
    next: Annotated[str | None, _IfAny] = None
    """Of a timer that is enabled and has a time to come."""

    @classmethod
    def of(cls, trigger: Trigger, links: Links) -> TriggerAnswer:
        if trigger.type == SCHEDULE:
            return cls._timer(trigger)
        return cls(
            id=trigger.trigger_id,
            type=trigger.type,
            enabled=trigger.enabled,
            url=None if trigger.hook_id is None else links.hook(trigger.hook_id),
            verify=trigger.config.get("verify"),
        )

    @classmethod
    def _timer(cls, trigger: Trigger) -> TriggerAnswer:
        timer = ScheduleTrigger.model_validate(trigger.config)
        following = next(FireTimes(timer).after(datetime.now(UTC)), None) if trigger.enabled else None
        return cls(
            id=trigger.trigger_id,
            type=trigger.type,
            enabled=trigger.enabled,
            timing={key: value for key, value in timer.timing().items() if value},
            next=None if following is None else iso(following),
        )

    def held(self) -> TriggerAnswer:
        """The same, switched off for now with all timers that are no plain cron schedules."""
        return self.model_copy(update={"enabled": False, "next": None})


class TimeAnswer(Answer):
    """A moment in UTC, and as the clock of the trigger's timezone shows it."""

    time: str
    local: str

    @classmethod
    def of(cls, time: datetime, trigger: ScheduleTrigger) -> TimeAnswer:
        return cls(time=iso(time), local=time.astimezone(trigger.zone).isoformat())


class TickAnswer(Answer):
    """What became of one time; `missed` ticks name the last and the number of the times in a row that were missed."""

    scheduled_at: str
    source: str
    status: str
    reason: str | None
    run_id: str | None
    decided_at: str
    issues: Annotated[list[dict[str, Any]] | None, _IfAny] = None
    backfill_id: Annotated[str | None, _IfAny] = None
    missed_until: Annotated[str | None, _IfAny] = None
    missed_count: Annotated[int | None, _IfAny] = None

    @classmethod
    def of(cls, tick: Tick) -> TickAnswer:
        return cls(
            scheduled_at=iso(tick.scheduled_at),
            source=tick.source,
            status=tick.status,
            reason=tick.reason,
            run_id=tick.run_id,
            decided_at=iso(tick.decided_at),
            issues=tick.issues,
            backfill_id=tick.backfill,
            missed_until=None if tick.missed_until is None else iso(tick.missed_until),
            missed_count=tick.missed_count,
        )


TickStatus = Literal["fired", "skipped", "missed", "refused", "waiting"]


class FireAnswer(Answer):
    """The run that was started by hand."""

    run_id: str
    status: str
    graph: str
    version: int
    scheduled_at: str
    links: dict[str, str]


def _is_time(text: str) -> str:
    datetime.fromisoformat(text)
    return text


_Time = Annotated[str, AfterValidator(_is_time)]


class Backfill(RequestBody):
    """A period whose times are to run; times without an offset are of the trigger's timezone."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)

    from_: _Time = Field(alias="from", description="The first time, included.", examples=["2026-03-01"])
    to: _Time = Field(description="The end, excluded; never later than now.", examples=["2026-04-01"])
    dry_run: bool = Field(default=True, description="Only list what would run.")
    max_parallel: int = Field(default=1, ge=1, le=MAX_PARALLEL, description="Runs of this backfill at once.")


class BackfillTime(Answer):
    """A time of the period: `runs` says whether the backfill runs it, `status` what was known of it before."""

    time: str
    runs: bool
    status: str | None


class BackfillAnswer(Answer):
    """What a backfill does; without `backfill_id` it was a dry run."""

    backfill_id: str | None
    dry_run: bool
    max_parallel: int
    count: int
    times: list[BackfillTime]

"""Plain cron timers as Dagster schedules, which its UI lists and switches; `timer_scheduler` starts their runs."""

from __future__ import annotations

import re
from functools import lru_cache

from dagster import DefaultScheduleStatus, ScheduleDefinition, ScheduleEvaluationContext, SkipReason

from graph_compiler.language.cron import Cron, parse_cron
from graph_compiler.running.naming import job_name
from platform_core.triggers.timer_store import Timer

_SAME_TWICE = re.compile(r"(?<![\w-])(\w+)-\1(?![\w-])")
"""A range of one value, which Dagster's cron takes for `*`."""
_EXPLANATION = "Headrace's daemon starts the runs of its schedules by itself; an evaluation starts none."


def schedule_name(owner: str, graph: str, trigger_id: str) -> str:
    """Dagster's name of a graph's timer; never that of another, because ours have no capitals."""
    return f"{job_name(owner, graph)}__ON__{trigger_id.replace('-', 'H')}"


def schedule_of(timer: Timer) -> ScheduleDefinition:
    """The Dagster schedule of a plain cron timer; the same object as long as it says the same."""
    lines = timer.config["cron"]
    name = schedule_name(timer.owner, timer.graph, timer.trigger_id)
    job = job_name(timer.owner, timer.graph)
    return _schedule(name, job, (lines,) if isinstance(lines, str) else tuple(lines), timer.config["timezone"])


def dagster_line(line: str) -> str:
    """The cron line in words that Dagster's cron understands as ours does."""
    text = " ".join(line.split()).lower()
    if text.startswith("@"):
        return text
    text = _SAME_TWICE.sub(r"\1", text)
    return _spelled_out(parse_cron(text)) if re.search(r"[a-z]-[a-z]|#|l", text) else text


@lru_cache(maxsize=50_000)
def _schedule(name: str, job: str, lines: tuple[str, ...], timezone: str) -> ScheduleDefinition:
    said = [dagster_line(line) for line in lines]
    return ScheduleDefinition(
        name=name,
        job_name=job,
        cron_schedule=said[0] if len(said) == 1 else said,
        execution_timezone=timezone,
        execution_fn=_explain,
        # What is switched on is known to the schedule storage, not to the definition.
        default_status=DefaultScheduleStatus.STOPPED,
    )


def _explain(context: ScheduleEvaluationContext) -> SkipReason:
    return SkipReason(_EXPLANATION)


def _spelled_out(cron: Cron) -> str:
    days = [str(day) for day in sorted(cron.days or ())] + (["L"] if cron.last_day else [])
    weekdays = [str(weekday) for weekday in sorted(cron.weekdays or ())]
    weekdays += [f"{weekday}#{nth}" for weekday, nth in sorted(cron.nth_weekdays)]
    fields = (
        _listed(cron.minutes, 60),
        _listed(cron.hours, 24),
        ",".join(days) or "*",
        _listed(sorted(cron.months), 12),
        ",".join(weekdays) or "*",
    )
    return " ".join(fields)


def _listed(values: tuple[int, ...] | list[int], all_of_them: int) -> str:
    return "*" if len(values) == all_of_them else ",".join(map(str, values))

"""What every journal must do: after each commit it proves exactly what was committed, to the next reader."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graph_engine.journal.journal import Journal
from graph_engine.journal.known import Known, KnownStep, calls_around, repeats_around
from graph_engine.journal.records import Record

_COMPARED = (
    "attempts",
    "is_open",
    "end",
    "outputs",
    "error",
    "cause",
    "is_retryable",
    "is_stopped",
    "items",
    "params",
    "waits_until",
    "retry_at",
    "address",
    "turn",
    "turn_at",
)


def differences(given: Sequence[Record], journal: Journal, read: Callable[[], Known]) -> list[str]:
    """What a reader finds otherwise than it was given, for each prefix of the records committed; none is right.

    `journal` is one of a run that has not begun; `read` answers what a later worker is given to go on with.
    """
    journal.attach(lambda: None)
    found = []
    for count, record in enumerate(given, 1):
        journal.append(record)
        journal.commit()
        found += [
            f"after {count} records: {difference}" for difference in compared(read(), Known().fold(given[:count]))
        ]
    return found


def compared(found: Known, expected: Known) -> list[str]:
    """In which steps the two differ, of those that a worker that goes on still comes to."""
    wrong = []
    for (key, item), step in expected.steps.items():
        if _is_past(expected, key, item):
            continue
        other = found.steps.get((key, item))
        for name in _COMPARED:
            value = None if other is None else getattr(other, name)
            if value != getattr(step, name):
                wrong.append(f"{name} of {key}, item {item}, is {value!r} and not {getattr(step, name)!r}")
    for name in ("stopping", "outputs", "outputs_error"):
        if getattr(found, name) != getattr(expected, name):
            wrong.append(f"{name} is {getattr(found, name)!r} and not {getattr(expected, name)!r}")
    return wrong


def _is_past(known: Known, key: str, item: int | None) -> bool:
    """Whether what is around the step has ended well, or was begun once more since."""
    around = [*calls_around(key), *([((key, None), 1)] if item is not None else [])]
    around += [((repeated, None), 1) for repeated in repeats_around(key)]
    steps = [(known.steps[call], attempt) for call, attempt in around if call in known.steps]
    return any(_ended_well(step) or attempt < step.attempts for step, attempt in steps)


def _ended_well(step: KnownStep) -> bool:
    return step.end is not None and (step.end != "failed" or step.outputs is not None)

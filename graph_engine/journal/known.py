"""What a journal proves of a run: the state from which a pass over its plan goes on.

Empty for a fresh run; folded from its records after a loss or a wait; of a failed run, `again()`, for its retry.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from graph_engine.journal import records
from graph_engine.journal.place import turn_key
from graph_engine.journal.records import Error, Record

End = Literal["succeeded", "skipped", "failed"]
StepKey = tuple[str, int | None]
"""`Place.key`, and the item."""
_CALL = re.compile(r"(?P<id>[^\[~]+)(?:\[(?P<item>\d+)\])?(?:~(?P<attempt>\d+))?")
_TURN = re.compile(r"#\d+")
NOT_REACHED = "not_reached"
"""The kind of the error of a `repeat` whose condition did not hold in time."""


@dataclass(slots=True)
class KnownStep:
    """How a step ended, or how far it came."""

    attempts: int = 0
    """How many have begun."""
    is_open: bool = False
    """The last of them has not ended: it goes on (a call, a `foreach`, a wait), or it was cut."""
    began_at: float | None = None
    end: End | None = None
    outputs: Mapping[str, Any] | None = None
    """Of one that ended: None if it failed what is around it, or was skipped."""
    error: Error | None = None
    cause: Error | None = None
    is_retryable: bool = True
    is_stopped: bool = False
    """All three as in `Failed`."""
    items: Sequence[Any] | None = None
    params: Mapping[str, Any] | None = None
    waits_since: float | None = None
    waits_until: float | None = None
    retry_at: float | None = None
    turn: int = 0
    """Of a `repeat`: which turn it had come to."""
    turn_at: float | None = None
    """When that begins, if it is not the first."""
    address: str | None = None
    """Of a step that waits for an event: where that is reported."""
    is_inherited: bool = False
    """Whether another run has done it, of which this one is the retry: then it does not count if it runs last."""
    order: int = 0
    """Which of two ended first."""

    @property
    def has_inner(self) -> bool:
        """Whether it goes on with what is within: items, the nodes of a called graph, turns."""
        return self.items is not None or self.params is not None or self.turn > 0

    def inherited(self, *, is_inherited: bool = False) -> KnownStep:
        """What a retry of it begins with."""
        kept = KnownStep(items=self.items, params=self.params, turn=self.turn, address=self.address)
        kept.is_inherited = is_inherited
        return kept


@dataclass
class Known:
    """All steps that a journal tells of, and what it tells of the run."""

    steps: dict[StepKey, KnownStep] = field(default_factory=dict)
    started_at: float | None = None
    stopping: tuple[records.Status, Error] | None = None
    outputs: Mapping[str, Any] | None = None
    outputs_error: Error | None = None
    _ended: int = 0

    def step(self, key: str, item: int | None = None) -> KnownStep:
        """The step, to be filled by who reads a journal."""
        return self.steps.setdefault((key, item), KnownStep())

    def take(self, key: str, item: int | None) -> KnownStep | None:
        """What is known of the step, for the pass that comes to it; it is not kept any longer."""
        return self.steps.pop((key, item), None) if self.steps else None

    def fold(self, given: Iterable[Record]) -> Known:
        """Take in what these records prove, in their order; answers itself."""
        for record in given:
            if isinstance(record, records.RunBegan):
                self.started_at = record.ts if self.started_at is None else self.started_at
            elif isinstance(record, records.RunStopping):
                self.stopping = (record.status, record.error)
            elif isinstance(record, records.OutputsGiven):
                self.outputs = record.outputs
            elif isinstance(record, records.OutputsFailed):
                self.outputs_error = record.error
            elif isinstance(record, records.RunEnded):
                # A run that does not end well has no outputs, even if a node that runs last failed it after they were.
                self.outputs = self.outputs if record.status == "SUCCESS" else None
            elif isinstance(record, records.StepRecord):
                self._take(record)
        return self

    def _take(self, record: records.StepRecord) -> None:
        item = getattr(record, "item", None)
        step = self.step(record.place.key, item)
        if step.is_inherited:
            step = self.steps[record.place.key, item] = step.inherited()
        match record:
            case records.Began():
                step.attempts, step.is_open, step.began_at, step.retry_at = record.attempt, True, record.ts, None
                step.waits_until = None
                step.params = step.params if record.attempt == 1 else None
            case records.Expanded():
                step.items = record.items
            case records.Opened():
                step.params = record.params
            case records.Waiting():
                step.waits_since, step.waits_until, step.address = record.ts, record.until, record.address
            case records.Repeating():
                step.turn, step.turn_at = record.turn, record.due
                self.steps.pop((turn_key(record.place.key, record.turn - 2), None), None)
            case records.Retrying():
                step.is_open, step.retry_at = False, record.due
            case records.Succeeded() | records.Skipped() | records.Failed():
                self._take_end(step, record)

    def _take_end(self, step: KnownStep, record: records.Succeeded | records.Skipped | records.Failed) -> None:
        match record:
            case records.Succeeded():
                self._end(step, "succeeded", record.outputs)
            case records.Skipped():
                self._end(step, "skipped", None)
            case records.Failed():
                self._end(step, "failed", record.outputs)
                step.error, step.cause = record.error, record.cause
                step.is_retryable, step.is_stopped = record.is_retryable, record.is_stopped

    def _end(self, step: KnownStep, end: End, outputs: Mapping[str, Any] | None) -> None:
        self._ended += 1
        step.end, step.outputs, step.is_open, step.order = end, outputs, False, self._ended
        if end != "failed" or outputs is not None:
            step.items = step.params = None  # of one that failed, a retry goes on with them

    def again(self) -> Known:
        """What a retry from failure takes of this run: all that ended well, at every depth, and no clock.

        Of a call the last attempt counts. A `repeat` goes on with the turn that failed; one that ended as `not_reached`
        begins with the first.
        """
        last = {key: step.attempts for key, step in self.steps.items() if step.attempts > 1}
        kept = Known()
        for (key, item), step in self.steps.items():
            name = None if self._is_from_the_first(key) else _in_first_attempt(key, last)
            if name is not None and (step.end is not None and (step.end != "failed" or step.outputs is not None)):
                kept.steps[name, item] = replace(step, is_inherited=True)
            elif name is not None and (step.has_inner or step.address is not None):
                kept.steps[name, item] = step.inherited(is_inherited=True)
        return kept

    def _is_from_the_first(self, key: str) -> bool:
        """Whether it is a `repeat` that did not reach its condition, or in one."""
        return any(self._was_not_reached(repeated) for repeated in (*repeats_around(key), key))

    def _was_not_reached(self, key: str) -> bool:
        step = self.steps.get((key, None))
        if step is None or step.error is None or step.error["kind"] != NOT_REACHED:
            return False
        last = self.steps.get((turn_key(key, step.turn), None))
        return step.outputs is None and last is not None and last.end == "succeeded"


def calls_around(key: str) -> Iterator[tuple[StepKey, int]]:
    """The calls on the way to a place, outermost first, each with the attempt of it that the place belongs to."""
    way = ""
    for part in key.split("/")[:-1]:
        found = _CALL.fullmatch(part)
        assert found is not None, key
        item = None if found["item"] is None else int(found["item"])
        yield (way + found["id"], item), int(found["attempt"] or 1)
        way = f"{way}{part}/"


def repeats_around(key: str) -> list[str]:
    """The keys of the nodes whose turn the place is, or in whose turns it stands."""
    return [key[: found.start()] for found in _TURN.finditer(key)]


def _in_first_attempt(key: str, attempts: Mapping[StepKey, int]) -> str | None:
    """The key with the last attempt of each call in the place of the first; None if it is of an earlier one."""
    if any(attempt < attempts.get(call, 1) for call, attempt in calls_around(key)):
        return None
    return "/".join(part.partition("~")[0] for part in key.split("/"))

"""What the engine tells, as our events and values and as rows of Dagster's log.

The engine knows one node where Dagster has several steps; which of them begin, end and are skipped follows from the
records (graph_engine/README.md). What going on needs beyond events and values lies in an event's note.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from typing import Any

from dagster import DagsterEvent
from dagster import DagsterEventType as Type

from definitions.instance.event_statement import NewValue, Record, RunChange
from definitions.instance.run_events import NewEvent, StatusChange
from definitions.journal.dagster_place import DagsterPlace, dagster_place
from definitions.journal.dagster_rows import DagsterRows
from definitions.journal.pending import Series
from definitions.journal.values import LARGEST_SHOWN, checked, kept
from graph_compiler.nodes.asking import ADDRESS, WaitKind
from graph_compiler.running.naming import DONE_OUTPUT, OUTPUTS_OP, PARAMS_OUTPUT, dagster_name, step_key
from graph_compiler.running.plan import PlannedNode
from graph_compiler.values.binary import compact
from graph_engine.journal import records
from graph_engine.journal.records import Error
from platform_core.facts.run_status import RunStatus

RUN_STEP = ""
"""Under which values of the run itself are kept."""
STOPPING, OUTPUTS_ERROR = "stopping_", "outputs_error_"
ITEMS, EXPANDED, RESULT = "items_", "expanded_", "result_"
ENGINE_NOTE = '{"engine":1}'
"""Of the run's start: all that happens is in the journal, in calls too."""
SHOWN_IN_DAGSTER = frozenset({"log", "stdout", "stderr", "truncated"})
"""Types of what nodes say that are lines of Dagster's log, too."""
LEVELS: Mapping[str, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}
"""Ours as Python's `logging` and Dagster number them."""


def params_port(attempt: int) -> str:
    """Under which the params of a call's attempt are kept."""
    return PARAMS_OUTPUT if attempt == 1 else f"{PARAMS_OUTPUT}~{attempt}"


class Projection:
    """Of one run in one worker; `begun` are the keys of what has been expanded or opened by workers before."""

    def __init__(self, rows: DagsterRows, begun: Set[str] = frozenset(), *, is_stopping: bool = False) -> None:
        self._rows = rows
        self._begun = set(begun)
        self._is_stopping = is_stopping
        self._starts: dict[str, float] = {}
        self._failures: dict[tuple[str | None, int | None], DagsterEvent] = {}
        self._failed_steps: list[str] = []
        self._outputs_failure: DagsterEvent | None = None
        self._tell: Mapping[type, Callable[[Any], Iterator[Record | Series]]] = {
            records.RunBegan: self._run_began,
            records.RunStopping: self._run_stopping,
            records.RunSuspended: self._run_suspended,
            records.RunEnded: self._run_ended,
            records.OutputsGiven: self._outputs_given,
            records.OutputsFailed: self._outputs_failed,
            records.Began: self._began,
            records.Expanded: self._expanded,
            records.Opened: self._opened,
            records.Waiting: self._waiting,
            records.Repeating: self._repeating,
            records.Retrying: self._retrying,
            records.Succeeded: self._succeeded,
            records.Skipped: self._skipped,
            records.Failed: self._failed,
            records.Emitted: self._emitted,
        }

    def reported(self, record: records.Record) -> list[Record | Series]:
        """What is to be committed for it, in this order. Raises `NodeError` for a value that cannot be kept."""
        return list(self._tell[type(record)](record))

    # -- the run

    def _run_began(self, record: records.RunBegan) -> Iterator[Record]:
        yield Record(self._rows.process_started(record.ts))
        if record.is_resumed:
            event = NewEvent(record.ts, "run.resumed", "The run goes on.")
            yield Record(self._rows.run(Type.RUN_RESUMED, record.ts), event)
        else:
            event = NewEvent(record.ts, "run.started", "The run started.")
            yield Record(self._rows.run(Type.RUN_START, record.ts), event, note=ENGINE_NOTE)

    def _run_stopping(self, record: records.RunStopping) -> Iterator[Record]:
        self._is_stopping = True
        reason = NewValue(RUN_STEP, STOPPING, compact({"status": record.status, "error": dict(record.error)}))
        yield Record(self._rows.reported("Waiting for the running steps to end.", record.ts), value=reason)

    def _run_suspended(self, record: records.RunSuspended) -> Iterator[Record]:
        waits = [{"node": wait.name, "item": wait.item, "for": wait.kind, "until": wait.until} for wait in record.waits]
        event = NewEvent(record.ts, "run.waiting", "The run waits.", data={"until": record.until, "waits": waits})
        yield Record(self._rows.run(Type.RUN_SUSPENDED, record.ts), event)

    def _run_ended(self, record: records.RunEnded) -> Iterator[Record]:
        ts, error = record.ts, record.error or {}
        match record.status:
            case "SUCCESS":
                event = NewEvent(ts, "run.succeeded", "The run succeeded.")
                yield Record(self._rows.run(Type.RUN_SUCCESS, ts), event)
            case "CANCELED":
                event = NewEvent(ts, "run.canceled", error["message"], level="warning")
                yield Record(self._rows.run(Type.RUN_CANCELED, ts), event)
            case "FAILURE":
                row = self._rows.run_failure(self._cause(error), error, self._failed_steps, ts)
                reported = {"error": dict(error)}
                yield Record(row, NewEvent(ts, "run.failed", error["message"], error["node"], None, "error", reported))

    def _cause(self, error: Error) -> DagsterEvent | None:
        """The failure of a step that failed the run; it may have been reported by a worker before."""
        if self._is_stopping:
            return None
        node = error["node"]
        if node is None:
            return self._outputs_failure or self._rows.failure_event(OUTPUTS_OP, error)
        known = self._failures.get((node, error.get("item")))
        return known or next(iter(self._failures.values()), None) or self._rows.failure_event(step_key(node), error)

    def change(self, record: records.Record) -> RunChange | None:
        """What the record changes of the run as a whole."""
        match record:
            case records.RunBegan(ts, is_resumed):
                return RunChange(StatusChange(RunStatus.RUNNING), None if is_resumed else ts)
            case records.RunSuspended(_, until, _):
                return RunChange(StatusChange(RunStatus.WAITING, wake_at=until))
            case records.RunEnded(_, status, error):
                failed = status == "FAILURE"
                reason = ("RUN_EXCEPTION" if self._is_stopping else "STEP_FAILURE") if failed else None
                kept_error = None if error is None else dict(error)
                return RunChange(StatusChange(RunStatus(status), is_end=True, error=kept_error), failure_reason=reason)
        return None

    def _outputs_given(self, record: records.OutputsGiven) -> Iterator[Record]:
        text = kept(record.outputs, "the run's outputs")
        yield Record(self._start(OUTPUTS_OP, record.ts))
        yield Record(self._rows.output(OUTPUTS_OP, "outputs", record.ts), outputs=text)
        yield Record(self._success(OUTPUTS_OP, record.ts))

    def _outputs_failed(self, record: records.OutputsFailed) -> Iterator[Record]:
        yield Record(self._start(OUTPUTS_OP, record.ts))
        row, self._outputs_failure = self._rows.failure(OUTPUTS_OP, record.error, record.ts)
        self._failed_steps.append(OUTPUTS_OP)
        yield Record(row, value=NewValue(RUN_STEP, OUTPUTS_ERROR, compact(record.error)))

    def _emitted(self, record: records.Emitted) -> Iterator[Record]:
        row = None
        if record.type in SHOWN_IN_DAGSTER:
            key = None if record.node is None else step_key(record.node)
            row = self._rows.line(record.message, LEVELS[record.level], key, record.ts)
        yield Record(row, NewEvent(*record[:3], record.node, record.item, record.level, record.data))

    # -- steps begin

    def _began(self, record: records.Began) -> Iterator[Record]:
        place, is_first = dagster_place(record.place), record.attempt == 1 and not record.is_again
        row = None
        if place.is_step:
            key = place.start(record.item)
            row = self._start(key, record.ts, attempt=record.attempt, is_again=record.is_again)
        said = f"{place.name} started{'' if is_first else ' again'}."
        note = None if is_first else compact({"attempt": record.attempt})
        yield Record(row, NewEvent(record.ts, "node.started", said, place.name, record.item), note=note)

    def _expanded(self, record: records.Expanded) -> Iterator[Record | Series]:
        place = dagster_place(record.place)
        text = kept(record.items, "the items")
        self._begun.add(record.place.key)
        value = NewValue(place.first, ITEMS, text)
        if not place.is_step:
            yield Record(value=value)
            return

        def mapped(number: int) -> Record:
            return Record(self._rows.mapped_output(place.first, ITEMS, str(number), record.ts))

        yield Series(len(record.items), mapped)
        yield Record(self._rows.output(place.first, EXPANDED, record.ts), value=value)
        yield Record(self._success(place.first, record.ts))

    def _opened(self, record: records.Opened) -> Iterator[Record]:
        place = dagster_place(record.place)
        text = kept(record.params, "the params")
        self._begun.add(record.place.key)
        if place.is_step and place.is_call:
            value = NewValue(place.first, PARAMS_OUTPUT, text)
            yield Record(self._rows.output(place.first, PARAMS_OUTPUT, record.ts), value=value)
            yield Record(self._success(place.first, record.ts))
        else:
            yield Record(value=NewValue(place.at(record.item), params_port(record.attempt), text))

    def _waiting(self, record: records.Waiting) -> Iterator[Record]:
        place, name, asking = dagster_place(record.place), record.place.name, record.asking
        data: dict[str, Any] = {"until": record.until, "for": WaitKind.TIME if asking is None else asking.kind}
        if asking is not None and asking.message is not None:
            data["message"] = asking.message
        note = compact({"since": record.ts, "until": record.until})
        event = NewEvent(record.ts, "node.waiting", f"{name} waits.", name, record.item, data=data)
        value = None
        if record.address is not None:
            text = compact(record.address)
            value = NewValue(place.last, ADDRESS, text)
            yield Record(event=_shown(record.ts, name, None, ADDRESS, record.address, text))
        yield Record(None, event, value, note=note)

    def _repeating(self, record: records.Repeating) -> Iterator[Record]:
        name, data = record.place.name, {"until": record.due, "turn": record.turn}
        note = compact({"turn": record.turn, "due": record.due})
        said = f"{name} waits for its next turn, {record.turn}."
        yield Record(None, NewEvent(record.ts, "node.waiting", said, name, data=data), note=note)

    # -- steps end

    def _retrying(self, record: records.Retrying) -> Iterator[Record]:
        place, error = dagster_place(record.place), record.error
        row = self._rows.retry(place.at(record.item), error, error["delay"], record.ts) if place.is_step else None
        event = NewEvent(record.ts, "node.retrying", error["message"], place.name, record.item, "warning", error)
        yield Record(row, event, note=compact({"due": record.due}))

    def _succeeded(self, record: records.Succeeded) -> Iterator[Record]:
        place = dagster_place(record.place)
        event = NewEvent(record.ts, "node.succeeded", f"{place.name} succeeded.", place.name, record.item)
        if record.item is not None:
            yield from self._item_succeeded(record, place, event)
            return
        if place.turn is not None:
            yield from self._turn_succeeded(record, place, event)
            return
        given = list(self._given(place, record.outputs, record.ts))
        if place.is_step and place.first != place.last:
            yield Record(self._start(place.last, record.ts))
        yield from given
        yield from self._last(place, record.ts, event)

    def _item_succeeded(self, record: records.Succeeded, place: DagsterPlace, event: NewEvent) -> Iterator[Record]:
        key, ts = place.at(record.item), record.ts
        texts = {port: compact(value) for port, value in record.outputs.items()}
        whole = "".join(("{", ",".join([f"{compact(port)}:{text}" for port, text in texts.items()]), "}"))
        result = checked(f'{{"outputs":{whole}}}', "the item's outputs")
        for port, value in record.outputs.items():
            yield Record(event=_shown(ts, place.name, record.item, port, value, texts[port]))
        row = self._rows.output(key, RESULT, ts) if place.is_step else None
        yield Record(row, value=NewValue(key, RESULT, result))
        yield Record(self._success(key, ts) if place.is_step else None, event)

    def _turn_succeeded(self, record: records.Succeeded, place: DagsterPlace, event: NewEvent) -> Iterator[Record]:
        text = kept({"turn": place.turn, "outputs": record.outputs}, "the turn's outputs")
        for port, value in record.outputs.items():
            yield Record(event=_shown(record.ts, place.name, None, port, value, compact(value)))
        yield Record(None, event, NewValue(*place.turns(), text))

    def _given(self, place: DagsterPlace, outputs: Mapping[str, Any], ts: float) -> Iterator[Record]:
        for port, value in outputs.items():
            text = kept(value, f"output {port}")
            name = dagster_name(port)
            row = self._rows.output(place.last, name, ts) if place.is_step else None
            yield Record(row, _shown(ts, place.name, None, port, value, text), NewValue(place.last, name, text))

    def _last(self, place: DagsterPlace, ts: float, event: NewEvent | None) -> Iterator[Record]:
        """The last step of a node ends well."""
        if place.is_step and place.is_awaited:
            yield Record(self._rows.output(place.last, DONE_OUTPUT, ts, "Nothing"))
        if place.is_step or event is not None:
            yield Record(self._success(place.last, ts) if place.is_step else None, event)

    def _skipped(self, record: records.Skipped) -> Iterator[Record]:
        place = dagster_place(record.place)
        why = ": its `when` is false." if record.is_unwanted else "."
        event = NewEvent(record.ts, "node.skipped", f"{place.name} was skipped{why}", place.name)
        if not place.is_step:
            yield Record(event=event)
            return
        ends = self._success if record.is_unwanted else self._rows.skipped
        yield Record(ends(place.first, record.ts), event)
        if place.is_call:
            yield from self._skipped_within(record.place.node, place.name, record.ts)
        if place.first != place.last:
            yield Record(self._rows.skipped(place.last, record.ts))

    def _skipped_within(self, node: PlannedNode, name: str, ts: float) -> Iterator[Record]:
        """The nodes of a graph that is not called, which are steps of Dagster's plan."""
        assert node.called is not None
        for inner in node.called.order:
            within = f"{name}/{inner.spec.id}"
            place = DagsterPlace.within(inner, within)
            event = NewEvent(ts, "node.skipped", f"{within} was skipped.", within)
            yield Record(self._rows.skipped(place.first, ts), event)
            if place.is_call:
                yield from self._skipped_within(inner, within, ts)
            if place.first != place.last:
                yield Record(self._rows.skipped(place.last, ts))

    def _failed(self, record: records.Failed) -> Iterator[Record]:
        place, error, ts = dagster_place(record.place), record.error, record.ts
        reported = {key: error[key] for key in ("kind", "message", "attempts")}
        event = NewEvent(ts, "node.failed", error["message"], place.name, record.item, "error", reported)
        note = compact(
            {
                "error": dict(error),
                "cause": dict(record.cause),
                "retryable": record.is_retryable,
                "outputs": record.outputs is not None,
                "stopped": record.is_stopped,
            }
        )
        if record.outputs is not None:
            yield from self._given_up(record, place, event, note)
        elif not place.is_step:
            yield Record(event=event, note=note)
        elif record.item is not None and not (place.items_fail or record.is_stopped):
            key = place.at(record.item)
            result = NewValue(key, RESULT, kept({"error": dict(error)}, "the item's error"))
            yield Record(self._rows.output(key, RESULT, ts), event, result, note=note)
            yield Record(self._success(key, ts))
        else:
            yield from self._fatal(record, place, event, note)

    def _given_up(self, record: records.Failed, place: DagsterPlace, event: NewEvent, note: str) -> Iterator[Record]:
        """A failure with which the run goes on."""
        assert record.outputs is not None
        ts = record.ts
        given = list(self._given(place, record.outputs, ts))
        if place.is_step and place.first != place.last:
            if record.place.key not in self._begun:
                yield Record(self._rows.output(place.first, EXPANDED, ts))
                yield Record(self._success(place.first, ts))
            yield Record(self._start(place.last, ts))
        yield Record(event=event, note=note)
        yield from given
        yield from self._last(place, ts, None)

    def _fatal(self, record: records.Failed, place: DagsterPlace, event: NewEvent, note: str) -> Iterator[Record]:
        """A failure of a step; a node of several that failed by what is within has none of its own."""
        key, ts = place.start(record.item), record.ts
        if record.item is None and place.first != place.last and record.place.key in self._begun:
            if record.is_inner:
                yield Record(event=event, note=note)
                return
            key = place.last
            yield Record(self._start(key, ts))
        row, failure = self._rows.failure(key, record.error, ts)
        self._failures[place.name, record.item] = failure
        self._failed_steps.append(key)
        yield Record(row, event, note=note)

    # -- Dagster's steps

    def _start(self, key: str, ts: float, *, attempt: int = 1, is_again: bool = False) -> Mapping[str, Any]:
        self._starts[key] = ts
        return self._rows.start(key, ts, attempt=attempt, is_again=is_again)

    def _success(self, key: str, ts: float) -> Mapping[str, Any]:
        return self._rows.success(key, ts, (ts - self._starts.pop(key, ts)) * 1000)


def _shown(ts: float, name: str, item: int | None, port: str, value: Any, text: str) -> NewEvent:
    data = {"port": port, "value": value} if len(text) <= LARGEST_SHOWN else {"port": port, "bytes": len(text)}
    return NewEvent(ts, "node.output", f"{name} gave {port}.", name, item, data=data)

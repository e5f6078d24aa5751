"""Whatever record is the last that is durable when a worker is lost: the run goes on, and ends as it would have."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graph_engine import records
from graph_engine.limits import Limits
from graph_engine.outcome import Suspended
from tests.unit.graph_engine.documents import Library, shelves
from tests.unit.graph_engine.execution import Execution, execution

LIMITS = Limits(max_parallel=2, suspend_over=5.0)
slow = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


def to_its_end(run: Execution) -> Execution:
    """Execute it, on new workers as often as it is suspended."""
    for _ in range(100):
        run.run()
        if not isinstance(run.outcome, Suspended):
            return run
        assert run.outcome.until > run.clock.now()
        run.clock.time = run.outcome.until  # type: ignore[attr-defined]  # the jumping clock of these tests
        run = run.resumed()
    raise AssertionError("the run does not end")


def what_ended(told: list[records.Record]) -> Counter[tuple[str, int | None]]:
    ends = (records.Succeeded, records.Failed, records.Skipped)
    return Counter((one.place.key, getattr(one, "item", None)) for one in told if isinstance(one, ends))


def check_story(told: list[records.Record]) -> None:
    """Each step ends once and does nothing afterwards; each item of a `foreach` that ended well has ended."""
    ended: set[tuple[str, int | None]] = set()
    items: dict[str, int] = {}
    for record in told:
        if isinstance(record, records.RunRecord | records.Emitted):
            continue
        step = (record.place.key, getattr(record, "item", None))
        assert step not in ended, (step, record)
        if isinstance(record, records.Expanded):
            items[record.place.key] = len(record.items)
        if isinstance(record, records.Succeeded | records.Failed | records.Skipped):
            ended.add(step)
        if isinstance(record, records.Succeeded) and record.item is None and record.place.key in items:
            count = items[record.place.key]
            assert all((record.place.key, item) in ended for item in range(count))
            assert {len(values) for port, values in record.outputs.items() if port != "errors"} <= {count}


def answer(run: Execution) -> Any:
    return run.ended.status, run.ended.outputs


@slow
@given(shelves(), st.data())
def test_run_that_is_cut_anywhere_ends_as_it_would_have(shelf: tuple[dict[str, Any], Library], data: st.DataObject) -> None:
    document, library = shelf
    whole = to_its_end(execution(document, library=library, limits=LIMITS))
    told = whole.journal.durable
    check_story(told)
    for upto in range(len(told)):
        again = whole.resumed(upto)
        again.clock.time = told[max(0, upto - 1)].ts  # type: ignore[attr-defined]
        once_more = to_its_end(again)
        check_story(once_more.journal.durable)
        assert answer(once_more) == answer(whole), upto
        assert what_ended(once_more.journal.durable).keys() == what_ended(told).keys()
    twice = whole.resumed(data.draw(st.integers(0, len(told))))
    twice = to_its_end(twice)
    assert answer(to_its_end(twice.resumed(data.draw(st.integers(0, len(twice.journal.durable)))))) == answer(whole)

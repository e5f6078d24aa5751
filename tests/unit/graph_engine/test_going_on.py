"""Whatever record is the last that is durable when a worker is lost: the run goes on, and ends as it would have."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graph_engine.given.limits import Limits
from graph_engine.journal import records
from graph_engine.journal.outcome import Ended, Suspended
from tests.unit.graph_engine.documents import Library, shelves
from tests.unit.graph_engine.execution import Execution, RealClock, execution
from tests.unit.graph_engine.graphs import call, called, called_with, graph, last, node
from tests.unit.graph_engine.node_types import Counted, types_with

LIMITS = Limits(max_parallel=2, suspend_over=5.0)


def to_its_end(run: Execution) -> Execution:
    """Execute it, on new workers as often as it is suspended."""
    for _ in range(100):
        run.run()
        if not isinstance(run.outcome, Suspended):
            return run
        assert run.outcome.until > run.clock.now()
        run.set_time(run.outcome.until)
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
        if not isinstance(record, records.StepRecord):
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


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(shelves(), st.data())
def test_run_that_is_cut_anywhere_ends_as_it_would_have(
    shelf: tuple[dict[str, Any], Library], data: st.DataObject
) -> None:
    document, library = shelf
    whole = to_its_end(execution(document, library=library, limits=LIMITS))
    told = whole.journal.durable
    check_story(told)
    for upto in range(len(told)):
        again = whole.resumed(upto)
        again.set_time(told[max(0, upto - 1)].ts)
        again = to_its_end(again)
        check_story(again.journal.durable)
        assert answer(again) == answer(whole), upto
        assert what_ended(again.journal.durable).keys() == what_ended(told).keys()
    twice = to_its_end(whole.resumed(data.draw(st.integers(0, len(told) - 1))))
    upto = data.draw(st.integers(0, len(twice.journal.durable) - 1))
    assert answer(to_its_end(twice.resumed(upto))) == answer(whole)


def begun(told: list[records.Record]) -> set[tuple[str, int | None]]:
    return {(one.place.key, one.item) for one in told if isinstance(one, records.Began)}


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(shelves(), st.data())
def test_run_that_is_cancelled_anywhere_ends_and_so_does_each_step_that_had_begun(
    shelf: tuple[dict[str, Any], Library], data: st.DataObject
) -> None:
    document, library = shelf
    whole = execution(document, library=library, limits=Limits(max_parallel=2)).run()
    assert begun(whole.journal.durable) <= what_ended(whole.journal.durable).keys()
    at = data.draw(st.integers(1, len(whole.journal.durable) - 1))
    seen = []

    def is_time(record: records.Record) -> bool:
        seen.append(record)
        return len(seen) == at

    stopped = execution(document, library=library, limits=Limits(max_parallel=2)).stopped_at(is_time)
    told = stopped.journal.durable
    check_story(told)
    assert stopped.ended.status in ("CANCELED", whole.ended.status)
    assert begun(told) <= what_ended(told).keys()
    if not any(isinstance(record, records.RunStopping) for record in told):
        return
    stopping = next(number for number, record in enumerate(told, 1) if isinstance(record, records.RunStopping))
    again = stopped.resumed(data.draw(st.integers(stopping, len(told) - 1))).run()
    check_story(again.journal.durable)
    assert again.ended.status == "CANCELED"
    assert begun(again.journal.durable) <= what_ended(again.journal.durable).keys()
    last_nodes = {one for one in what_ended(told) if one in begun(told)}
    assert last_nodes <= what_ended(again.journal.durable).keys()


def cut_in(run: Execution, name: str, item: int | None = None) -> Execution:
    """The run on another worker, after the first was lost while this ran."""
    told = run.run().journal.durable
    began = [
        number
        for number, record in enumerate(told, 1)
        if isinstance(record, records.Began) and (record.place.name, record.item) == (name, item)
    ]
    return run.resumed(began[0])


def counted_run(counted: Counted, document: dict[str, Any], **keys: Any) -> Execution:
    return execution(document, node_types=types_with(counted), clock=RealClock(), **keys)


def test_step_that_may_have_had_effects_is_not_executed_again() -> None:
    counted = Counted()
    run = cut_in(counted_run(counted, graph(node("sent", "counted"), last("sweep", "{{ run.error.kind }}"))), "sent")
    assert run.run().ended.error == {
        "kind": "worker_lost",
        "message": "The run's worker was lost while this was running.",
        "attempts": 1,
        "node": "sent",
    }
    assert counted.total == 1
    assert run.story()[-5:-1] == [
        "node.failed sent worker_lost 1", "node.started sweep", 'node.output sweep value="worker_lost"',
        "node.succeeded sweep",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "executed"),
    [
        ({"retry": {"max_attempts": 2, "delay": 0}}, 2),
        ({"retry": {"max_attempts": 2, "delay": 0, "on": ["worker_lost"]}}, 2),
        ({"retry": {"max_attempts": 2, "delay": 0, "on": ["timeout"]}}, 1),
        ({"retry": {"max_attempts": 2, "delay": 0}, "repeatable": False}, 1),
        ({"repeatable": True}, 2),
    ],
)
def test_step_that_was_cut_is_executed_again_if_its_document_allows_it(keys: dict[str, Any], executed: int) -> None:
    counted = Counted()
    run = cut_in(counted_run(counted, graph(node("sent", "counted", **keys))), "sent").run()
    assert counted.total == executed
    assert run.ended.status == ("SUCCESS" if executed == 2 else "FAILURE")
    again = "node.retrying sent worker_lost 1" if executed == 2 else "node.failed sent worker_lost 1"
    assert again in run.story()


def test_light_step_that_was_cut_is_executed_again_as_the_same_attempt_unless_the_document_forbids_it() -> None:
    assert cut_in(execution(graph(node("a"))), "a").run().story()[2:] == [
        "node.started a", "node.started a", "node.output a value=1", "node.succeeded a", "run.succeeded",
    ]  # fmt: skip
    assert cut_in(execution(graph(node("a", repeatable=False))), "a").run().ended.status == "FAILURE"


def test_only_the_items_that_had_not_ended_are_executed_in_a_call_as_everywhere() -> None:
    counted = Counted()
    types = types_with(counted)
    all_items = node("all", "counted", foreach=list(range(6)), repeatable=True)
    library = called_with(types, all_items, outputs={"n": "{{ nodes.all.value | length }}"})
    run = execution(
        graph(call("call", retry={"max_attempts": 2}), outputs={"n": "{{ nodes.call.n }}"}),
        library=library, node_types=types, clock=RealClock(), max_parallel=1,
    )  # fmt: skip
    again = cut_in(run, "call/all", 3).run()
    assert again.ended == Ended("SUCCESS", None, {"n": 6})
    assert counted.total == 6 + 3
    assert sum(line.startswith("node.succeeded call/all[") for line in again.story()) == 6


def test_retry_from_failure_executes_only_what_failed_or_never_began_at_every_depth() -> None:
    should_fail = [True]

    def during(call: Any) -> None:
        if should_fail[0] and call.item == 2:
            raise ValueError("no")

    counted = Counted(during)
    types = types_with(counted)
    library = called_with(
        types, node("before", "counted"), node("each", "counted", foreach=[0, 1, 2, 3], after=["before"])
    )
    document = graph(
        node("first", "counted"), call("call", retry={"max_attempts": 2, "delay": 0}, after=["first"]),
        node("then", after=["call"]), last("sweep", 1),
    )  # fmt: skip
    failed = execution(document, library=library, node_types=types, clock=RealClock(), max_parallel=1).run()
    assert failed.ended.error is not None
    assert (failed.ended.error["node"], failed.ended.error["item"]) == ("call/each", 2)
    assert counted.total == 1 + 2 * 5
    should_fail[0], counted.total = False, 0
    again = failed.retried().run()
    assert again.ended.status == "SUCCESS"
    assert counted.total == 1
    assert again.story()[2:] == [
        "node.started call", "node.started call/each", "node.started call/each[2]", "node.output call/each[2] value=1",
        "node.succeeded call/each[2]", again.story()[7], "node.succeeded call/each", "node.succeeded call",
        "node.started then", "node.output then value=1", "node.succeeded then",
        "node.started sweep", "node.output sweep value=1", "node.succeeded sweep", "run.succeeded",
    ]  # fmt: skip


def test_retry_of_a_retry_takes_what_both_did() -> None:
    counted = Counted()
    fails = {"type": "fail", "config": {"message": "no"}}
    document = graph(node("a", "counted"), {"id": "b", **fails, "after": ["a"]})
    first = execution(document, node_types=types_with(counted), clock=RealClock()).run()
    third = first.retried().run().retried().run()
    assert third.ended.status == "FAILURE"
    assert counted.total == 1


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(shelves())
def test_retry_that_is_cut_anywhere_ends_as_it_would_have(shelf: tuple[dict[str, Any], Library]) -> None:
    document, library = shelf
    failed = to_its_end(execution(document, library=library, limits=LIMITS))
    whole = to_its_end(failed.retried())
    for upto in range(len(whole.journal.durable)):
        again = whole.resumed(upto)
        again.set_time(whole.journal.durable[max(0, upto - 1)].ts)
        again = to_its_end(again)
        check_story(again.journal.durable)
        assert answer(again) == answer(whole), upto
        assert what_ended(again.journal.durable).keys() == what_ended(whole.journal.durable).keys()


def test_run_that_only_waits_long_is_suspended_and_goes_on_when_due() -> None:
    document = graph(
        node("a"), node("nap", "delay", config={"duration": "1h"}), node("quick", "delay", config={"duration": 1}),
        node("b", config={"value": "{{ inputs.x }}"}),
        edges=("a.value -> nap.value", "nap.value -> b.x"), outputs={"b": "{{ nodes.b.value }}"},
    )  # fmt: skip
    run = execution(document, limits=LIMITS).run()
    assert isinstance(run.outcome, Suspended)
    assert [(wait.name, wait.until - 1_000_000) for wait in run.outcome.waits] == [("nap", 3600)]
    assert run.clock.now() == 1_000_001
    early = run.resumed().run()
    assert early.outcome == run.outcome
    run.set_time(run.outcome.until - 2)
    ended = early.resumed().run()
    assert ended.ended == Ended("SUCCESS", None, {"b": 1})
    assert sum(line == "node.started nap" for line in ended.story()) == 1


def test_long_rest_between_attempts_suspends_the_run_in_a_call_too() -> None:
    library = called(
        {
            "id": "f",
            "type": "fail",
            "config": {"message": "no", "retryable": True},
            "retry": {"max_attempts": 2, "delay": 600},
        }
    )
    run = execution(graph(call("c", on_error="continue")), library=library, limits=LIMITS).run()
    assert isinstance(run.outcome, Suspended)
    assert run.outcome.until == 1_000_600
    run = to_its_end(run.resumed())
    assert run.ended.status == "SUCCESS"
    assert run.clock.now() == 1_000_600
    assert "node.failed c/f failed 2" in run.story()


def test_timeouts_of_the_run_and_of_a_call_count_on_while_it_is_suspended() -> None:
    library = called(node("nap", "delay", config={"duration": "2h"}))
    document = graph(call("c", timeout="1h", on_error="route"), node("k", config={"value": "{{ inputs.e.kind }}"}),
                     node("d", "delay", config={"duration": "3h"}), edges=("c.error -> k.e",))  # fmt: skip
    run = execution(document, library=library, limits=Limits(timeout=9000, suspend_over=5.0)).run()
    assert isinstance(run.outcome, Suspended)
    assert run.outcome.until == 1_003_600
    run.set_time(1_003_600)
    run = run.resumed().run()
    assert 'node.output k value="timeout"' in run.story()
    assert isinstance(run.outcome, Suspended)
    assert run.outcome.until == 1_009_000
    run.set_time(1_020_000)
    run = run.resumed().run()
    assert run.ended.error is not None
    assert run.ended.error["kind"] == "run_timeout"
    assert "node.failed d canceled 1" in run.story()


def test_suspended_run_that_is_cancelled_ends_what_it_waited_for() -> None:
    run = execution(graph(node("nap", "delay", config={"duration": "1h"}), last("sweep", 1)), limits=LIMITS).run()
    again = run.resumed()
    engine = again.engine()
    engine.stop("CANCELED", {"kind": "canceled", "message": "The run was canceled.", "node": None})
    ended = engine.run()
    assert isinstance(ended, Ended)
    assert ended.status == "CANCELED"
    assert again.story()[3:] == [
        "node.failed nap canceled 1", "node.started sweep", "node.output sweep value=1", "node.succeeded sweep",
        "run.canceled",
    ]  # fmt: skip


def test_what_a_step_with_effects_depends_on_is_durable_before_it_begins_in_one_commit_for_all_that_begin() -> None:
    runs: list[Execution] = []
    seen: list[list[str]] = []

    def during(call: Any) -> None:
        seen.append([line for line in runs[0].story() if call.node in line or line == "node.succeeded a"])

    counted = Counted(during)
    document = graph(node("a"), *(node(f"s{n}", "counted", after=["a"]) for n in range(3)))
    runs.append(counted_run(counted, document))
    runs[0].run()
    assert sorted(seen) == [["node.succeeded a", f"node.started s{n}"] for n in range(3)]
    assert runs[0].journal.commits[0] == 1 + 2 + 3

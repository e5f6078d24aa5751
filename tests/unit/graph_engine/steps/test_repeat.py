"""A node that repeats: its turns, their pauses, and how it ends."""

from __future__ import annotations

from typing import Any

import pytest

from graph_compiler.language.spec import RepeatSpec
from graph_compiler.values.durations import LONGEST
from graph_engine.given.limits import Limits
from graph_engine.journal import records
from graph_engine.journal.outcome import Ended, Suspended
from graph_engine.steps.repeat import pause_after
from tests.unit.graph_engine.execution import Execution, RealClock, execution
from tests.unit.graph_engine.graphs import call, called, graph, last, node
from tests.unit.graph_engine.node_types import Counted, types_with

SUM = {"value": "{{ iteration + (last.value if last else 0) }}"}


def repeated(until: str, *, delay: Any = 0, id: str = "poll", **keys: Any) -> dict[str, Any]:
    """A node that gives 0, 1, 3, 6, ... and rests as said; `most` and `within` are its limits."""
    limits = {name: keys.pop(key) for key, name in (("most", "max"), ("within", "timeout")) if key in keys}
    keys.setdefault("config", SUM)
    return node(id, repeat={"until": until, "delay": delay, **limits}, **keys)


def test_each_turn_is_a_step_that_sees_the_one_before_and_the_node_gives_what_the_last_gave() -> None:
    poll = repeated("{{ outputs.value > 2 and last.value == 1 and iteration == 2 }}")
    run = execution(graph(poll, outputs={"n": "{{ nodes.poll.value }}"})).run()
    assert run.ended == Ended("SUCCESS", None, {"n": 3})
    assert run.story()[2:] == [
        "node.started poll",
        "node.started poll#0", "node.output poll#0 value=0", "node.succeeded poll#0", "node.waiting poll",
        "node.started poll#1", "node.output poll#1 value=1", "node.succeeded poll#1", "node.waiting poll",
        "node.started poll#2", "node.output poll#2 value=3", "node.succeeded poll#2",
        "node.output poll value=3", "node.succeeded poll", "run.succeeded",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("limits", "turns"), [({"most": 3}, 3), ({"delay": 10, "within": 25}, 3), ({"most": 1}, 1), ({"within": 0}, 100)]
)
def test_condition_that_does_not_hold_in_time_is_not_reached(limits: dict[str, Any], turns: int) -> None:
    run = execution(graph(repeated("{{ false }}", **limits))).run()
    assert run.ended.error is not None
    assert (run.ended.error["kind"], run.ended.error["node"]) == ("not_reached", "poll")
    assert f"in {turns} turns" in run.ended.error["message"]
    assert sum(line.startswith("node.started poll#") for line in run.story()) == turns


@pytest.mark.parametrize(
    ("until", "kind"), [("{{ outputs.value }}", "bad_value"), ("{{ 1 // 0 > 1 }}", "template_error")]
)
def test_condition_that_fails_fails_the_node_and_on_error_takes_it(until: str, kind: str) -> None:
    poll = repeated(until, on_error="route")
    document = graph(poll, node("k", config={"value": "{{ inputs.e.kind }}"}), edges=("poll.error -> k.e",))
    assert f'node.output k value="{kind}"' in execution(document).run().story()


def test_a_turn_is_tried_again_and_one_that_fails_for_good_fails_the_node() -> None:
    poll = repeated(
        "{{ false }}", config={"value": "{{ 1 // (2 - iteration) }}"}, retry={"max_attempts": 2, "delay": 0}
    )
    run = execution(graph(poll)).run()
    assert run.ended.error is not None
    assert (run.ended.error["kind"], run.ended.error["node"]) == ("template_error", "poll#2")
    assert run.story()[-3:] == [
        "node.failed poll#2 template_error 1",
        "node.failed poll template_error 1",
        "run.failed poll#2",
    ]


def test_when_is_asked_once_before_the_first_turn() -> None:
    run = execution(graph(repeated("{{ iteration == 1 }}", when=False))).run()
    assert run.story()[2:] == ["node.started poll", "node.skipped poll", "run.succeeded"]


def test_long_pauses_suspend_the_run_and_its_timeout_counts_on() -> None:
    document = graph(repeated("{{ iteration == 2 }}", delay="1h"), outputs={"n": "{{ nodes.poll.value }}"})
    run = execution(document, limits=Limits(suspend_over=5.0)).run()
    for hour in (1, 2):
        assert isinstance(run.outcome, Suspended)
        assert [(wait.name, wait.until) for wait in run.outcome.waits] == [("poll", 1_000_000 + hour * 3600)]
        run.set_time(run.outcome.until)
        run = run.resumed().run()
    assert run.ended.outputs == {"n": 3}
    late = execution(document, limits=Limits(suspend_over=5.0, timeout=5000)).run()
    for _ in range(2):
        assert isinstance(late.outcome, Suspended)
        late.set_time(late.outcome.until)
        late = late.resumed().run()
    assert late.ended.error is not None
    assert late.ended.error["kind"] == "run_timeout"


@pytest.mark.parametrize("at", range(4, 9))
def test_run_that_is_canceled_begins_no_other_turn(at: int) -> None:
    seen: list[records.Record] = []

    def is_time(record: records.Record) -> bool:
        seen.append(record)
        return len(seen) == at

    document = graph(repeated("{{ iteration == 5 }}", delay=1), last("sweep", 1))
    run = execution(document).stopped_at(is_time)
    assert run.ended.status == "CANCELED"
    assert run.story()[-5:] == [
        "node.failed poll canceled 1", "node.started sweep", "node.output sweep value=1", "node.succeeded sweep",
        "run.canceled",
    ]  # fmt: skip


def test_turns_of_a_call_are_calls_with_nodes_of_their_own() -> None:
    library = called(
        node("a", config={"value": "{{ params.n * 2 }}"}), params={"type": "object", "properties": {"n": {}}},
        outputs={"n": "{{ nodes.a.value }}"},
    )  # fmt: skip
    poll = {**call("c"), "repeat": {"until": "{{ outputs.n > 10 }}", "delay": 0}}
    poll["config"]["params"] = {"n": "{{ last.n if last else 2 }}"}
    run = execution(graph(poll, outputs={"n": "{{ nodes.c.n }}"}), library=library).run()
    assert run.ended.outputs == {"n": 16}
    assert "node.output c#2/a value=16" in run.story()


def test_foreach_repeats_by_a_graph_that_it_calls() -> None:
    library = called(
        repeated("{{ outputs.value >= params.n }}"), params={"type": "object", "properties": {"n": {}}},
        outputs={"n": "{{ nodes.poll.value }}"},
    )  # fmt: skip
    each = call("each", foreach=[1, 4])
    each["config"]["params"] = {"n": "{{ item }}"}
    run = execution(graph(each, outputs={"n": "{{ nodes.each.n }}"}), library=library).run()
    assert run.ended.outputs == {"n": [1, 6]}
    assert "node.succeeded each[1]/poll#3" in run.story()


def counted_run(counted: Counted, **keys: Any) -> Execution:
    repeat = {"until": "{{ iteration == 4 }}", "delay": 0, **keys.pop("repeat", {})}
    document = graph(node("poll", "counted", repeat=repeat, **keys))
    return execution(document, node_types=types_with(counted), clock=RealClock())


def test_retry_goes_on_with_the_turn_that_failed() -> None:
    should_fail = [True]

    def during(call: Any) -> None:
        if should_fail[0] and call.node == "poll#3":
            raise ValueError("no")

    counted = Counted(during)
    failed = counted_run(counted).run()
    assert failed.ended.status == "FAILURE"
    should_fail[0], counted.total = False, 0
    again = failed.retried().run()
    assert again.ended.status == "SUCCESS"
    assert counted.total == 2
    assert [line for line in again.story() if line.startswith("node.started")] == [
        "node.started poll", "node.started poll#3", "node.started poll#4",
    ]  # fmt: skip


def test_retry_of_what_was_not_reached_begins_with_the_first_turn() -> None:
    counted = Counted()
    failed = counted_run(counted, repeat={"max": 3}).run()
    assert counted.total == 3
    assert failed.retried().run().ended.status == "FAILURE"
    assert counted.total == 6


def test_turn_that_was_cut_is_lost_unless_it_may_be_repeated() -> None:
    for keys, status in (({}, "FAILURE"), ({"repeatable": True}, "SUCCESS")):
        counted = Counted()
        run = counted_run(counted, **keys).run()
        told = run.journal.durable
        began = [n for n, one in enumerate(told, 1) if isinstance(one, records.Began) and one.place.name == "poll#2"]
        assert run.resumed(began[0]).run().ended.status == status
        assert counted.total == 5 + (3 if status == "SUCCESS" else 0)


def test_pauses_grow_as_said_and_never_beyond_their_most() -> None:
    def pauses(**keys: Any) -> list[float]:
        return [pause_after(RepeatSpec(until="{{ true }}", delay=2, **keys), turn) for turn in (0, 1, 2, 9_999)]

    assert pauses() == [2, 2, 2, 2]
    assert pauses(backoff="linear") == [2, 4, 6, 20_000]
    assert pauses(backoff="exponential", max_delay=5) == [2, 4, 5, 5]
    assert pauses(backoff="exponential")[-1] == LONGEST

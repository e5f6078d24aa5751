"""What a run may say, and that nothing is dropped in silence."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from definitions.execution.output_limits import (
    BURST,
    CHARACTERS_PER_RUN,
    EVENTS_PER_RUN,
    EVENTS_PER_SECOND,
    OutputLimits,
)
from definitions.instance.run_events import NewEvent


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def line(text: str = "x", node: str = "a", kind: str = "stdout") -> NewEvent:
    return NewEvent(0.0, kind, text, node)


def dropped(events: list[NewEvent]) -> int:
    """How many events the truncations tell of."""
    return sum(event.data["events"] for event in events if event.type == "truncated")


def test_a_flood_is_cut_and_told_once_it_ends() -> None:
    clock = Clock()
    limits = OutputLimits(clock)
    passed = [event for _ in range(int(BURST) + 300) for event in limits.pass_on(line(), 1)]
    assert len(passed) == BURST
    clock.now = 1.0 / EVENTS_PER_SECOND
    told, event = limits.pass_on(line("after"), 5)
    assert (told.type, told.node, told.level, event.message) == ("truncated", "a", "warning", "after")
    assert told.data == {"of": "stdout", "limit": "second", "events": 300, "characters": 300}


def test_a_long_flood_is_told_while_it_lasts() -> None:
    clock = Clock()
    limits = OutputLimits(clock)
    seen: list[NewEvent] = []
    for number in range(int(BURST) * 10):
        clock.now = number / 10_000
        seen += limits.pass_on(line(), 1)
    seen += limits.flush()
    assert len([event for event in seen if event.type == "stdout"]) + dropped(seen) == BURST * 10
    assert dropped(seen) > 0


def test_a_run_has_a_limit_in_all() -> None:
    clock = Clock()
    limits = OutputLimits(clock)
    assert limits.pass_on(line(), CHARACTERS_PER_RUN + 1) == []
    (told,) = limits.flush()
    assert (told.data["limit"], told.data["characters"]) == ("run", CHARACTERS_PER_RUN + 1)
    passed = 0
    for number in range(EVENTS_PER_RUN + 10):
        clock.now = float(number)
        passed += sum(event.type == "stdout" for event in limits.pass_on(line(), 1))
    assert passed == EVENTS_PER_RUN


def test_of_much_progress_the_newest_is_shown() -> None:
    clock = Clock()
    limits = OutputLimits(clock)
    events = [NewEvent(0.0, "node.progress", "", "a", None, data={"fraction": n / 10}) for n in range(11)]
    assert [event for event in events for event in limits.pass_on(event, 1)] == [events[0]]
    assert limits.flush("b") == []
    assert limits.flush("a") == [events[10]]
    assert limits.flush() == []


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["stdout", "stderr", "log", "node.output", "run.started"]),
            st.sampled_from("ab"),
            st.integers(1, 400),
            st.floats(0, 0.5),
        ),
        max_size=60,
    )
)
def test_every_event_is_written_or_counted(steps: list[tuple[str, str, int, float]]) -> None:
    clock = Clock()
    limits = OutputLimits(clock)
    seen: list[NewEvent] = []
    for kind, node, count, pause in steps:
        clock.now += pause
        for _ in range(count):
            seen += limits.pass_on(line(node=node, kind=kind), 1)
    seen += limits.flush()
    assert len([event for event in seen if event.type != "truncated"]) + dropped(seen) == sum(
        count for _, _, count, _ in steps
    )

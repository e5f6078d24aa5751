"""Whose turn it is: by priority, then fairly between owners, then by age; within limits; and nobody is forgotten."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from definitions.daemon.queue_policy import Limits, choose
from platform_core.runs.queue_store import Load, WaitingRun

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
NOTHING = Load(Counter(), Counter(), 0)
UNLIMITED = Limits(1000, None, {})


def run(
    number: int, owner: str = "ada", graph: str = "mill", priority: int = 0, limit: int | None = None
) -> WaitingRun:
    """The run that was accepted `number` seconds after the epoch."""
    created_at = EPOCH + timedelta(seconds=number)
    return WaitingRun(f"run-{number:04}", owner, graph, 1, priority, created_at, limit)


def numbers(chosen: list[WaitingRun]) -> list[int]:
    return [int(run.run_id.removeprefix("run-")) for run in chosen]


def test_one_owners_thousand_runs_do_not_starve_anothers_first() -> None:
    waiting = [run(number) for number in range(1000)] + [run(1000, "eve", "other")]
    assert numbers(choose(waiting, NOTHING, Limits(4, None, {}))) == [0, 1000, 1, 2]


def test_owner_who_has_runs_already_waits_for_the_others_to_catch_up() -> None:
    load = Load(Counter(ada=2), Counter(mill=2), 0)
    waiting = [run(0), run(1), run(2, "eve", "other"), run(3, "eve", "other"), run(4, "eve", "other")]
    assert numbers(choose(waiting, load, UNLIMITED)) == [2, 3, 0, 4, 1]


def test_higher_priority_goes_first_whoever_owns_it() -> None:
    waiting = [run(0, "eve", "other"), run(1), run(2, priority=5), run(3, priority=5), run(4, priority=-1)]
    assert numbers(choose(waiting, NOTHING, UNLIMITED)) == [2, 3, 0, 1, 4]


def test_run_that_its_graph_holds_back_lets_others_pass() -> None:
    waiting = [run(0), run(1), run(2, graph="free"), run(3)]
    load = Load(Counter(ada=1), Counter(mill=1), 0)
    assert numbers(choose(waiting, load, Limits(10, None, {("mill", 1): 2}))) == [0, 2]


def test_users_own_limit_replaces_that_of_all_users() -> None:
    waiting = [run(n) for n in range(3)] + [run(n, "eve", "other", limit=3) for n in range(3, 8)]
    assert sorted(numbers(choose(waiting, NOTHING, Limits(10, 1, {})))) == [0, 3, 4, 5]
    assert choose([run(0, limit=0)], NOTHING, UNLIMITED) == []


def test_full_installation_begins_nothing() -> None:
    assert choose([run(0)], Load(Counter(eve=5), Counter(other=5), 0), Limits(4, None, {})) == []


owners = st.sampled_from(["ada", "eve", "ida"])
OWN_LIMITS = {"ada": None, "eve": 2, "ida": None}
runs = st.lists(st.tuples(owners, st.integers(0, 2), st.integers(-1, 1)), max_size=40).map(
    lambda drawn: [
        run(number, owner, f"{owner}-{graph}", priority, OWN_LIMITS[owner])
        for number, (owner, graph, priority) in enumerate(drawn)
    ]
)
limits = st.builds(
    Limits,
    st.integers(1, 8),
    st.none() | st.integers(1, 4),
    st.dictionaries(st.tuples(st.sampled_from(["ada-0", "eve-1", "ida-2"]), st.just(1)), st.integers(1, 3)),
)


@given(runs, limits, st.data())
def test_every_choice_obeys_the_policy_and_no_run_is_lost(
    accepted: list[WaitingRun], limits: Limits, data: st.DataObject
) -> None:
    """Runs begin and end in any order until none is left; each choice is compared with the rules, read literally."""
    waiting, active, begun = list(accepted), list[WaitingRun](), list[str]()
    while waiting or active:
        chosen = choose(data.draw(st.permutations(waiting)), load_of(active), limits)
        for choice in chosen:
            assert choice == first_by_the_rules(waiting, active, limits)
            waiting.remove(choice)
            active.append(choice)
            begun.append(choice.run_id)
        assert first_by_the_rules(waiting, active, limits) is None
        assert active, "something always begins when nothing is executed"
        active.remove(data.draw(st.sampled_from(active)))
    assert sorted(begun) == [run.run_id for run in accepted]


def load_of(active: list[WaitingRun]) -> Load:
    return Load(Counter(run.owner_id for run in active), Counter(run.graph_id for run in active), 0)


def first_by_the_rules(waiting: list[WaitingRun], active: list[WaitingRun], limits: Limits) -> WaitingRun | None:
    load = load_of(active)
    free = [
        run
        for run in waiting
        if load.runs < limits.runs
        and load.owners[run.owner_id] < limits.of_owner(run)
        and load.graphs[run.graph_id] < limits.of_graph(run)
    ]
    return min(free, key=lambda run: (-run.priority, load.owners[run.owner_id], run.created_at), default=None)

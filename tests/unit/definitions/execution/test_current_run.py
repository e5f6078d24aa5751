"""The run in progress can be ended from anywhere, before it begins and after."""

from __future__ import annotations

from definitions.execution.current_run import CANCELED, Cancellation, CurrentRun
from graph_engine.journal.records import Error, Status


def test_every_listener_is_called_also_one_that_comes_too_late() -> None:
    cancellation, told = Cancellation(), []
    cancellation.subscribe(lambda: told.append("early"))
    assert told == []
    cancellation.request()
    cancellation.subscribe(lambda: told.append("late"))
    assert told == ["early", "late"]
    assert cancellation.requested.is_set()


def test_what_was_ended_can_be_ended_again_once_it_is_rearmed() -> None:
    cancellation, told = Cancellation(), []
    cancellation.subscribe(lambda: told.append("ended"))
    cancellation.request()
    cancellation.rearm()
    assert not cancellation.requested.is_set()
    cancellation.request()
    assert told == ["ended", "ended"]


def test_first_wish_counts_also_one_from_before_the_run_began() -> None:
    current = CurrentRun("run")
    current.stop()
    current.stop("FAILURE", {"kind": "other", "message": "later", "node": None})
    stopped: list[tuple[Status, Error]] = []
    current.on_stop(lambda status, error: stopped.append((status, error)))
    current.stop()
    assert stopped == [("CANCELED", CANCELED)]

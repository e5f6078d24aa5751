"""Timers fire by time, those of one time in the order in which they were set, and not once they are called off."""

from __future__ import annotations

from graph_engine.scope.timers import Timers


def test_timers_fire_when_they_are_due_in_order() -> None:
    timers, fired = Timers(), []
    for at, name in ((2.0, "b"), (1.0, "a"), (2.0, "c"), (3.0, "d")):
        timers.set(at, fired.append, name)
    off = timers.set(0.5, fired.append, "off")
    off.call_off()
    assert timers.next() == 1.0
    timers.fire(2.0)
    assert fired == ["a", "b", "c"]
    assert timers.next() == 3.0


def test_timer_that_is_set_while_others_fire_fires_too_if_it_is_due() -> None:
    timers, fired = Timers(), []
    timers.set(1.0, lambda subject: timers.set(1.0, fired.append, subject), "again")
    timers.fire(1.0)
    assert fired == ["again"]
    assert timers.next() is None

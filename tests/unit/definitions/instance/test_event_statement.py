"""What a batch becomes before it is sent; what it does is tested on PostgreSQL."""

from __future__ import annotations

import pytest

from definitions.instance.event_statement import NewValue, Record, build
from definitions.instance.run_events import NewEvent, StatusChange
from platform_core.facts.run_status import RunStatus


def test_parts_of_all_records_keep_their_order_and_the_last_value_counts() -> None:
    records = [
        Record(event=NewEvent(1.0, "a", "one", "n", 2, "debug", {"k": [1]})),
        Record(value=NewValue("s", "p", "1"), outputs="{}"),
        Record(event=NewEvent(2.0, "b", "t\x00wo"), value=NewValue("s", "p", "2"), outputs='{"x":1}'),
        Record(value=NewValue("s", "q", "3")),
    ]
    _, parameters = build("run", "token", records, None, 5.0)
    assert {name: parameters[name] for name in ("run", "batch", "count", "outputs", "status", "is_end", "error")} == {
        "run": "run",
        "batch": "token",
        "count": 2,
        "outputs": '{"x":1}',
        "status": None,
        "is_end": False,
        "error": None,
    }
    columns = ("ts", "type", "node", "item", "level", "message", "data")
    assert [list(row) for row in zip(*(parameters[column] for column in columns), strict=True)] == [
        [1.0, "a", "n", 2, "debug", "one", '{"k":[1]}'],
        [2.0, "b", None, None, "info", "t\ufffdwo", "{}"],
    ]
    values = zip(parameters["value_step"], parameters["value_port"], parameters["value"], strict=True)
    assert list(values) == [("s", "p", "2"), ("s", "q", "3")]
    assert parameters["log_event"] == []


def test_change_of_the_status_is_part_of_the_batch() -> None:
    error = {"kind": "k", "message": "m", "node": None}
    _, parameters = build("run", "token", [Record()], StatusChange(RunStatus.FAILURE, is_end=True, error=error), 5.0)
    assert (parameters["status"], parameters["started"], parameters["is_end"], parameters["now"]) == (
        "FAILURE",
        None,
        True,
        5.0,
    )
    assert parameters["error"] == '{"kind":"k","message":"m","node":null}'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
def test_what_is_not_json_is_refused(value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        build("run", "token", [Record(event=NewEvent(1.0, "a", "m", data={"x": value}))], None, 5.0)

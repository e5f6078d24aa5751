"""How an event is encoded for the transports."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from platform_core.run_event_store import RunEvent
from stream_api.wire import WireEvent


def make(kind: str, data: dict[str, Any]) -> RunEvent:
    return RunEvent("run-1", 7, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), kind, "a", 0, "info", "line\nbreak", data)


def test_text_is_the_wire_form_on_one_line() -> None:
    wire = WireEvent.of(make("log", {"k": [1, None]}))
    assert (wire.cursor, wire.type, wire.is_final) == ("7", "log", False)
    assert "\n" not in wire.text
    assert json.loads(wire.text) == {
        "id": "7",
        "run_id": "run-1",
        "seq": 7,
        "ts": "2026-01-02T03:04:05+00:00",
        "type": "log",
        "node": "a",
        "item": 0,
        "level": "info",
        "message": "line\nbreak",
        "data": {"k": [1, None]},
    }


def test_the_last_event_says_so_and_counts() -> None:
    wire = WireEvent.of(make("run.failed", {}))
    assert wire.is_final
    assert {key: json.loads(wire.text)[key] for key in ("final", "count")} == {"final": True, "count": 7}


@pytest.mark.parametrize("value", [2**70, -(2**70), "\ud800", "\u2028", "\x00"])
def test_every_json_value_of_a_user_survives(value: object) -> None:
    assert json.loads(WireEvent.of(make("log", {"value": value})).text)["data"] == {"value": value}

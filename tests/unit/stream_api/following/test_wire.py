"""How an event is encoded for the transports."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from platform_core.runs.run_event_store import RunEvent
from stream_api.following.wire import WireEvent


def make(kind: str, data: dict[str, Any]) -> RunEvent:
    return RunEvent("run-1", 7, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), kind, "a", 0, "info", "line\nbreak", data)


def test_an_event_is_its_wire_form_on_one_line() -> None:
    wire = WireEvent.of(make("log", {"k": [1, None]}))
    assert (wire.cursor, wire.type, wire.node, wire.level, wire.is_final) == ("7", "log", "a", "info", False)
    assert wire.frame == b"id: 7\nevent: log\ndata: " + wire.json + b"\n\n"
    assert len(wire.json.decode().splitlines()) == 1
    assert json.loads(wire.json) == {
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
    assert {key: json.loads(wire.json)[key] for key in ("final", "count")} == {"final": True, "count": 7}


@pytest.mark.parametrize("value", [2**70, -(2**70), "\ud800", "\u2028", "\x00"])
def test_every_json_value_of_a_user_survives(value: object) -> None:
    assert json.loads(WireEvent.of(make("log", {"value": value})).json)["data"] == {"value": value}


def test_data_that_is_text_already_is_not_encoded_again() -> None:
    assert WireEvent.of(make("log", {}), '{"k":1e400}').json.endswith(b'"data":{"k":1e400}}')


@pytest.mark.parametrize("line_end", ["\u2028", "\u2029", "\x85", "\r", "\v", "\f", "\x1c"])
def test_no_line_end_of_unicode_stands_in_a_frame(line_end: str) -> None:
    text = WireEvent.of(make("log", {"value": line_end})).json.decode()
    assert len(text.splitlines()) == 1
    assert json.loads(text)["data"] == {"value": line_end}

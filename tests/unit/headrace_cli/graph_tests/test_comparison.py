"""What differs is told with its place, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest

from graph_compiler.language.graph_test import Expected
from graph_engine.journal.outcome import Ended
from headrace_cli.graph_tests.comparison import mismatches
from headrace_cli.graph_tests.events import NodeEvent

FAILED = Ended("FAILURE", {"kind": "code_error", "message": "KeyError: 'x'", "node": "score", "attempts": 1})
EVENTS = [
    NodeEvent("node.started", "a", None, "a started."),
    NodeEvent("log", "a", 0, "first"),
    NodeEvent("log", "a", 1, "second"),
]


def found(expected: dict[str, Any], ended: Ended) -> list[str]:
    told = mismatches(Expected.model_validate(expected), ended, EVENTS)
    return [f"{each.path} {each.place}: {each.message}" for each in told]


@pytest.mark.parametrize(
    ("expected", "actual", "told"),
    [
        ({"a": 1, "b": [1, {"c": "x"}]}, {"a": 1.0, "b": [1, {"c": "x"}]}, []),
        (True, 1, ["/outputs/o outputs.o: expected true, got 1"]),
        ({"a": 1}, {"b": 2}, ["/outputs/o/a outputs.o.a: expected 1, got nothing",
                              "/outputs/o outputs.o.b: expected nothing, got 2"]),
        ([1, 2], [1], ["/outputs/o/1 outputs.o[1]: expected 2, got nothing"]),
        ([1], [1, None], ["/outputs/o outputs.o[1]: expected nothing, got null"]),
        ({"a/b": {"$bytes": "YQ=="}}, {"a/b": b"a"}, []),
        ({"a/b": "x"}, {"a/b": b"a"}, ['/outputs/o/a~1b outputs.o.a/b: expected "x", got {"$bytes": "YQ=="}']),
        ("a\nb", "a\nc", [
            "/outputs/o outputs.o: the texts differ:\n--- expected\n+++ got\n@@ -1,2 +1,2 @@\n a\n-b\n+c"
        ]),
    ],
)  # fmt: skip
def test_outputs_are_compared_value_by_value(expected: Any, actual: Any, told: list[str]) -> None:
    assert found({"outputs": {"o": expected}}, Ended("SUCCESS", None, {"o": actual, "other": 1})) == told


def test_an_end_that_was_not_expected_is_told_without_its_outputs() -> None:
    assert found({"outputs": {"o": 1}}, FAILED) == [
        " run: expected it to succeed, but it failed: score: code_error: KeyError: 'x'"
    ]
    assert found({"error": {"kind": "code_error"}}, Ended("SUCCESS", None, {})) == [
        "/error error: expected code_error, but the run succeeded"
    ]
    assert found({"error": {"kind": "code_error", "node": "score", "message": "KeyError"}}, FAILED) == []
    assert found({"error": {"kind": "bad_value", "node": "score", "message": "none"}}, FAILED) == [
        "/error/kind error.kind: expected bad_value, got code_error: score: code_error: KeyError: 'x'",
        '/error/message error.message: expected "none" in it, got "KeyError: \'x\'"',
    ]


def test_events_are_expected_in_their_order() -> None:
    ended = Ended("SUCCESS", None, {})
    first, second = {"type": "log", "item": 0}, {"type": "log", "node": "a", "message": "sec"}
    assert found({"events": [first, second]}, ended) == []
    assert found({"events": [second, first]}, ended) == [
        '/events/1 events[1]: log of item 0 did not come after log of a with "sec"'
    ]

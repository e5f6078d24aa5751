"""What a run did otherwise than its test expects, each with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import unified_diff
from typing import Any, NamedTuple

from graph_compiler.language.graph_test import Expected, ExpectedEvent
from graph_compiler.values.binary import dumps
from graph_compiler.values.pointers import pointer_token
from graph_compiler.values.texts import shortened
from graph_compiler.values.values import as_json
from graph_engine.journal.outcome import Ended
from graph_engine.journal.records import Error
from headrace_cli.graph_tests.events import NodeEvent

_LONGEST = 200
_ABSENT = object()


class Mismatch(NamedTuple):
    """`path` is the JSON pointer of the expectation below `expect`; `place` says it in words."""

    path: str
    place: str
    message: str


def mismatches(expected: Expected, ended: Ended, events: Sequence[NodeEvent]) -> list[Mismatch]:
    """Everything in which the run differs from what is expected; none if it does not."""
    found = list(_of_end(expected, ended))
    if not found:
        for name, value in expected.outputs.items():
            actual = (ended.outputs or {}).get(name, _ABSENT)
            path, place = f"/outputs/{name}", f"outputs.{name}"
            found += _of_value(as_json(value, place), actual, path, place)
    return found + list(_of_events(expected.events, events))


def _of_end(expected: Expected, ended: Ended) -> Iterator[Mismatch]:
    error = ended.error
    if expected.error is None:
        if error is not None:
            yield Mismatch("", "run", f"expected it to succeed, but it failed: {_described(error)}")
        return
    if error is None:
        yield Mismatch("/error", "error", f"expected {expected.error.kind}, but the run succeeded")
        return
    for key in ("kind", "node"):
        wanted = getattr(expected.error, key)
        if wanted is not None and wanted != error.get(key):
            message = f"expected {wanted}, got {error.get(key)}: {_described(error)}"
            yield Mismatch(f"/error/{key}", f"error.{key}", message)
    if expected.error.message is not None and expected.error.message not in error["message"]:
        message = f"expected {_shown(expected.error.message)} in it, got {_shown(error['message'])}"
        yield Mismatch("/error/message", "error.message", message)


def _described(error: Error) -> str:
    node = error.get("node")
    return f"{f'{node}: ' if node else ''}{error['kind']}: {error['message']}"


def _of_value(expected: Any, actual: Any, path: str, place: str) -> Iterator[Mismatch]:
    if actual is _ABSENT:
        yield Mismatch(path, place, f"expected {_shown(expected)}, got nothing")
    elif isinstance(expected, dict) and isinstance(actual, dict):
        yield from _of_objects(expected, actual, path, place)
    elif isinstance(expected, list) and isinstance(actual, list):
        yield from _of_lists(expected, actual, path, place)
    elif isinstance(expected, str) and isinstance(actual, str) and "\n" in expected + actual:
        if expected != actual:
            lines = unified_diff(expected.splitlines(), actual.splitlines(), "expected", "got", lineterm="", n=2)
            yield Mismatch(path, place, "\n".join(["the texts differ:", *lines]))
    elif not _is_same(expected, actual):
        yield Mismatch(path, place, f"expected {_shown(expected)}, got {_shown(actual)}")


def _of_objects(expected: Mapping[str, Any], actual: Mapping[str, Any], path: str, place: str) -> Iterator[Mismatch]:
    for key, value in expected.items():
        yield from _of_value(value, actual.get(key, _ABSENT), f"{path}/{pointer_token(key)}", f"{place}.{key}")
    for key in actual.keys() - expected.keys():
        yield Mismatch(path, f"{place}.{key}", f"expected nothing, got {_shown(actual[key])}")


def _of_lists(expected: Sequence[Any], actual: Sequence[Any], path: str, place: str) -> Iterator[Mismatch]:
    for row, value in enumerate(expected):
        found = actual[row] if row < len(actual) else _ABSENT
        yield from _of_value(value, found, f"{path}/{row}", f"{place}[{row}]")
    for row in range(len(expected), len(actual)):
        yield Mismatch(path, f"{place}[{row}]", f"expected nothing, got {_shown(actual[row])}")


def _is_same(expected: Any, actual: Any) -> bool:
    """Equal as JSON: true is not 1, but 1 is 1.0."""
    return isinstance(expected, bool) == isinstance(actual, bool) and bool(expected == actual)


def _of_events(expected: Sequence[ExpectedEvent], events: Sequence[NodeEvent]) -> Iterator[Mismatch]:
    left = iter(events)
    for row, wanted in enumerate(expected):
        if not any(_fits(wanted, event) for event in left):
            after = f" after {_event(expected[row - 1])}" if row else ""
            yield Mismatch(f"/events/{row}", f"events[{row}]", f"{_event(wanted)} did not come{after}")
            return


def _fits(wanted: ExpectedEvent, event: NodeEvent) -> bool:
    same = all(getattr(wanted, key) in (None, getattr(event, key)) for key in ("type", "node", "item"))
    return same and (wanted.message is None or wanted.message in event.message)


def _event(wanted: ExpectedEvent) -> str:
    item = "" if wanted.item is None else f"[{wanted.item}]"
    of = f" of {wanted.node}{item}" if wanted.node else f" of item {wanted.item}" if item else ""
    return f"{wanted.type}{of}{f' with {_shown(wanted.message)}' if wanted.message else ''}"


def _shown(value: Any) -> str:
    return shortened(dumps(value, ensure_ascii=False), _LONGEST)

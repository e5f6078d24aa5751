"""What code publishes by `import headrace`, from its process to the worker."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from definitions.sandbox.interpreter import CodeInterpreter
from definitions.sandbox.output import Frames

CODE = """
import headrace, threading

def main():
    headrace.progress(0.25, "a quarter")
    headrace.progress(None)
    headrace.emit({"rows": [1, 2]})
    headrace.log("odd\\0", level="warning", rows=3)
    refused = []
    for call, value in ((headrace.progress, 2), (headrace.emit, float("nan")), (headrace.emit, "x" * 300_000)):
        try:
            call(value)
        except ValueError as error:
            refused.append(type(error).__name__)
    threads = [threading.Thread(target=headrace.progress, args=(n / 50, "x" * 5000)) for n in range(50)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    return refused
"""


def run(interpreter: CodeInterpreter, code: str) -> tuple[Any, list[tuple[str, dict[str, Any]]]]:
    """What the code returns, and what it published."""
    found: list[tuple[str, dict[str, Any]]] = []
    result = interpreter.run(
        code,
        {},
        timeout=30,
        on_line=lambda *_: None,
        on_publish=lambda kind, content: found.append((kind, content)),
    )
    return result, found


def test_progress_parts_and_records_come_in_order_and_whole(interpreter: CodeInterpreter) -> None:
    refused, found = run(interpreter, CODE)
    assert refused == ["ValueError"] * 3
    assert found[:4] == [
        ("progress", {"fraction": 0.25, "message": "a quarter"}),
        ("progress", {"fraction": None, "message": ""}),
        ("emit", {"value": {"rows": [1, 2]}}),
        ("log", {"message": "odd\ufffd", "level": "warning", "fields": {"rows": 3}}),
    ]
    assert sorted(content["fraction"] for _, content in found[4:]) == [number / 50 for number in range(50)]


def test_output_that_is_cut_is_told(interpreter: CodeInterpreter) -> None:
    _, found = run(interpreter, "def main():\n    for n in range(10_010): print(n)\n")
    assert [(kind, content["of"], content["limit"]) for kind, content in found] == [("truncated", "stdout", "call")]


@pytest.mark.parametrize(
    "body",
    [b"nonsense", b"[]", b"{}", b'{"fraction": "x", "message": ""}', b'{"fraction": 1, "message": 5}', b"[" * 50_000],
)
@pytest.mark.parametrize("kind", [b"P", b"V", b"L", b"?"])
def test_what_the_code_forged_is_dropped(kind: bytes, body: bytes) -> None:
    found: list[object] = []
    frames = Frames(100_000, lambda *published: found.append(published))
    frames.feed(struct.pack(">cI", kind, len(body)) + body)
    frames.feed(struct.pack(">cI", b"R", 1) + b"1")
    assert (found, frames.value()) == ([], 1)


def test_fractions_and_messages_of_a_forger_are_bounded() -> None:
    found: list[tuple[str, dict[str, Any]]] = []
    body = json.dumps({"fraction": 7, "message": "\ud800" * 100_000}).encode()
    Frames(1_000_000, lambda *published: found.append(published)).feed(struct.pack(">cI", b"P", len(body))[:5] + body)
    assert found == []

"""Lines and frames, fed in any portions: what is written is what comes out, up to the limits, which are told."""

from __future__ import annotations

import itertools
import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from definitions.sandbox.output import MAX_LINE, MAX_LINES, Frames, Lines
from graph_compiler.values.errors import NodeError


def portions(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in itertools.pairwise(places)]


def lines_of(chunks: list[bytes], max_bytes: int = 10**6) -> list[str]:
    seen: list[str] = []
    lines = Lines("stdout", lambda _, text: seen.append(text), max_bytes)
    for chunk in chunks:
        lines.feed(chunk)
    lines.finish()
    return seen


def frame(kind: bytes, content: object) -> bytes:
    body = json.dumps(content).encode()
    return struct.pack(">cI", kind, len(body)) + body


text_without_ends = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]))


@given(st.lists(text_without_ends), st.lists(st.integers(min_value=0)))
def test_lines_come_out_whole_however_they_arrive(texts: list[str], cuts: list[int]) -> None:
    data = "".join(f"{text}\n" for text in texts).encode()
    assert lines_of(portions(data, cuts)) == texts


def test_a_long_line_comes_in_pieces_and_loses_nothing() -> None:
    pieces = lines_of([b"x" * (2 * MAX_LINE + 5) + b"\n", b"y" * 3 * MAX_LINE, b"\n"])
    assert [len(piece) for piece in pieces] == [MAX_LINE, MAX_LINE, 5, MAX_LINE, MAX_LINE, MAX_LINE, 0]


def test_bytes_beyond_the_limit_are_dropped_and_it_is_told() -> None:
    notice = "[stdout is cut here: a call may write 10000 lines or 10 bytes]"
    assert lines_of([b"one\ntwo\nthree\n", b"four\n"], max_bytes=10) == ["one", "two", "th", notice]
    assert lines_of([b"0123456789"], max_bytes=10) == ["0123456789"]


def test_lines_beyond_the_limit_are_dropped_and_it_is_told() -> None:
    assert lines_of([b"\n" * MAX_LINES]) == [""] * MAX_LINES
    seen = lines_of([b"\n" * (MAX_LINES + 1), b"more\n"])
    assert (len(seen), seen[-1][:21]) == (MAX_LINES + 1, "[stdout is cut here: ")


@given(st.lists(st.integers(min_value=0)))
def test_the_first_outcome_counts_and_unknown_frames_are_passed_over(cuts: list[int]) -> None:
    frames = Frames(1000)
    for chunk in portions(frame(b"P", {"done": 0.5}) + frame(b"R", [1]) + frame(b"R", [2]), cuts):
        frames.feed(chunk)
    assert (frames.complete, frames.value()) == (True, [1])


def test_an_error_frame_is_raised_with_its_kind() -> None:
    frames = Frames(1000)
    frames.feed(frame(b"E", {"kind": "code_memory", "message": "full", "retryable": False}))
    with pytest.raises(NodeError) as caught:
        frames.value()
    assert (caught.value.kind, caught.value.message, caught.value.retryable) == ("code_memory", "full", False)


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"kind": []}', b"[" * 50_000, b"\xff"])
def test_an_outcome_that_cannot_be_read_is_an_error_of_the_code(body: bytes) -> None:
    frames = Frames(1000)
    frames.feed(struct.pack(">cI", b"E", len(body)) + body)
    with pytest.raises(NodeError, match="wrote into its own result"):
        frames.value()


def test_a_frame_larger_than_allowed_is_refused_before_it_is_read() -> None:
    with pytest.raises(NodeError, match="code_output"):
        Frames(1000).feed(struct.pack(">cI", b"R", 2**31))

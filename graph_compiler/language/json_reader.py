"""Reads JSON (RFC 8259) with the place of every value kept, and goes on after what can be gone on from."""

from __future__ import annotations

import re
from json import JSONDecodeError, JSONDecoder
from typing import Any

from graph_compiler.language.reading import Reading

_DECODER = JSONDecoder()
_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_WORDS = {"true": True, "false": False, "null": None}
_WORD = re.compile(r"-?[A-Za-z_]+")


def read_json(reading: Reading) -> Any:
    """The value of the text; raises `Stop` where reading cannot go on."""
    reader = _Reader(reading)
    value, end = reader.value(reader.skip(0), "", 1)
    end = reader.skip(end)
    if end != len(reading.text):
        raise reading.stop("bad_syntax", "more text after the end of the document", end)
    return value


class _Reader:
    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.text = reading.text

    def skip(self, at: int) -> int:
        match = _SPACE.match(self.text, at)
        return match.end() if match else at

    def value(self, at: int, pointer: str, depth: int) -> tuple[Any, int]:
        """The value that begins at `at` and the offset behind it; `depth` is bounded, so recursion is too."""
        self.reading.enter(pointer, at, depth)
        first = self.text[at : at + 1]
        if first == "{":
            return self._object(at, pointer, depth)
        if first == "[":
            return self._array(at, pointer, depth)
        if first == '"':
            self.reading.positions.styles[pointer] = '"'
            text, end = self._string(at)
            return self.reading.text_value(text, pointer), end
        return self._scalar(at, pointer)

    def _object(self, at: int, pointer: str, depth: int) -> tuple[dict[str, Any], int]:
        members: dict[str, Any] = {}
        end = self.skip(at + 1)
        if self.text[end : end + 1] == "}":
            return members, end + 1
        while True:
            key, member, end = self._key(end, members, pointer)
            value, end = self.value(end, member, depth + 1)
            members.setdefault(key, value)
            end, closed = self._separator(end, "}")
            if closed:
                return members, end

    def _key(self, at: int, members: dict[str, Any], pointer: str) -> tuple[str, str, int]:
        if self.text[at : at + 1] != '"':
            raise self.reading.stop("bad_syntax", "expected a key in double quotes", at)
        key, end = self._string(at)
        end = self.skip(end)
        if self.text[end : end + 1] != ":":
            raise self.reading.stop("bad_syntax", f"expected `:` after the key `{key}`", end)
        return key, self.reading.key(members, pointer, key, at), self.skip(end + 1)

    def _array(self, at: int, pointer: str, depth: int) -> tuple[list[Any], int]:
        items: list[Any] = []
        end = self.skip(at + 1)
        if self.text[end : end + 1] == "]":
            return items, end + 1
        while True:
            value, end = self.value(end, f"{pointer}/{len(items)}", depth + 1)
            items.append(value)
            end, closed = self._separator(end, "]")
            if closed:
                return items, end

    def _separator(self, at: int, closing: str) -> tuple[int, bool]:
        at = self.skip(at)
        if self.text[at : at + 1] == closing:
            return at + 1, True
        if self.text[at : at + 1] != ",":
            what = "the end of the text" if at >= len(self.text) else f"`{self.text[at]}`"
            raise self.reading.stop("bad_syntax", f"expected `,` or `{closing}`, found {what}", at)
        return self.skip(at + 1), False

    def _string(self, at: int) -> tuple[str, int]:
        try:
            text, end = _DECODER.raw_decode(self.text, at)
            return str(text), end
        except JSONDecodeError as error:
            raise self.reading.stop("bad_syntax", error.msg[0].lower() + error.msg[1:], error.pos) from None

    def _scalar(self, at: int, pointer: str) -> tuple[Any, int]:
        if number := _NUMBER.match(self.text, at):
            written = number[0]
            whole = number[1] is None and number[2] is None
            return self.reading.number(written, whole, pointer), number.end()
        word = _WORD.match(self.text, at)
        if word and word[0] in _WORDS:
            return _WORDS[word[0]], word.end()
        if word and word[0].lstrip("-") in ("NaN", "Infinity"):
            self.reading.find("bad_number", pointer, f"{word[0]} is not a JSON number")
            return None, word.end()
        what = "the end of the text" if at >= len(self.text) else f"`{word[0] if word else self.text[at]}`"
        raise self.reading.stop("bad_syntax", f"expected a value, found {what}", at)

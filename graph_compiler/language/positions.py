"""Where each value of a document stands in its text, so that every issue has a line and a column."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from graph_compiler.language.issues import Issue

_LINE_END = re.compile(r"\r\n|\r|\n")
_ESCAPE_LENGTHS = {"u": 6, "x": 4, "U": 10}


@dataclass
class Positions:
    """Offsets of values and keys by JSON pointer; `styles`: how a text is written, one of `"`, `'`, `|`, `>`, plain."""

    text: str
    values: dict[str, int] = field(default_factory=dict)
    keys: dict[str, int] = field(default_factory=dict)
    styles: dict[str, str] = field(default_factory=dict)
    _line_starts: list[int] = field(default_factory=list)

    def located(self, issues: Iterable[Issue]) -> tuple[Issue, ...]:
        """The issues with their places in the text."""
        return tuple(map(self._located, issues))

    def _located(self, issue: Issue) -> Issue:
        if issue.place is not None:
            return issue
        if issue.inside is not None:
            return issue.at(self.inside(issue.path, *issue.inside))
        return issue.at(self.of_key(issue.path) if issue.at_key else self.of(issue.path))

    def of(self, pointer: str) -> tuple[int, int]:
        """Line and column of the value, or of the nearest value around it."""
        return self.place(self._nearest(self.values, pointer))

    def of_key(self, pointer: str) -> tuple[int, int]:
        """Line and column of the member's key; of its value if it is no member."""
        return self.place(self.keys[pointer]) if pointer in self.keys else self.of(pointer)

    def inside(self, pointer: str, line: int, column: int) -> tuple[int, int]:
        """The document's line and column of a place inside the text value at `pointer`."""
        start = self.values.get(pointer)
        style = self.styles.get(pointer)
        if start is None or style is None:
            return self.of(pointer)
        if style in "|>":
            return self._inside_block(start, line, column)
        if style == '"':
            return self.place(self._inside_quotes(start, line, column))
        if line > 1:
            return self.place(start)
        return self.place(start + column - (0 if style == "'" else 1))

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset into the text."""
        starts = self._starts()
        line = bisect_right(starts, offset)
        return line, offset - starts[line - 1] + 1

    def _starts(self) -> list[int]:
        if not self._line_starts:
            self._line_starts += [0, *(end.end() for end in _LINE_END.finditer(self.text))]
        return self._line_starts

    @staticmethod
    def _nearest(places: Mapping[str, int], pointer: str) -> int:
        while pointer not in places:
            if not pointer:
                return 0
            pointer = pointer.rpartition("/")[0]
        return places[pointer]

    def _inside_block(self, start: int, line: int, column: int) -> tuple[int, int]:
        header, _ = self.place(start)
        starts = self._starts()
        indent = 0
        for begin, end in pairwise([*starts[header:], len(self.text)]):
            written = self.text[begin:end].rstrip("\r\n")
            if written.strip(" \t"):
                indent = len(written) - len(written.lstrip(" "))
                break
        return min(header + line, len(starts)), indent + column

    def _inside_quotes(self, start: int, line: int, column: int) -> int:
        """Walk the raw text, one decoded character at a time, to the wanted line and column."""
        at, here = start + 1, (1, 1)
        while here < (line, column) and at < len(self.text) and self.text[at] != '"':
            escape = self.text[at + 1 : at + 2] if self.text[at] == "\\" else ""
            ends = None if escape else _LINE_END.match(self.text, at)
            newline = escape == "n" or ends is not None
            at += len(ends[0]) if ends else _ESCAPE_LENGTHS.get(escape, 2) if escape else 1
            here = (here[0] + 1, 1) if newline else (here[0], here[1] + 1)
        return at

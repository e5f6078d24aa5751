"""What the JSON and YAML readers share: limits, positions, and the findings on the way."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graph_compiler.language.issues import Finding
from graph_compiler.language.positions import Positions
from graph_compiler.values.pointers import pointer_token
from graph_compiler.values.values import LARGEST_INTEGER, SMALLEST_INTEGER

MAX_DEPTH = 64
MAX_VALUES = 250_000
MAX_EXPANSION = 20_000


class Stop(Exception):
    """Reading cannot go on; the finding says why, `offset` where."""

    def __init__(self, finding: Finding, offset: int) -> None:
        super().__init__(finding.message)
        self.finding = finding
        self.offset = offset


@dataclass
class Reading:
    """One text being read."""

    text: str
    positions: Positions
    findings: list[Finding] = field(default_factory=list)
    count: int = 0
    expanded: int = 0

    def enter(self, pointer: str, offset: int, depth: int) -> None:
        """Note where a value begins; stops at the limits of depth and number."""
        self.positions.values[pointer] = offset
        self.add(1, offset)
        if depth > MAX_DEPTH:
            raise self.stop("too_deep", f"nested more than {MAX_DEPTH} levels deep", offset)

    def add(self, values: int, offset: int) -> None:
        """Count values; stops at the limit."""
        self.count += values
        if self.count > MAX_VALUES:
            raise self.stop("too_large", f"more than {MAX_VALUES} values", offset)

    def expand(self, values: int, offset: int) -> None:
        """Count the values an alias stands for; stops where aliases would multiply the document."""
        self.expanded += values
        if self.expanded > MAX_EXPANSION:
            raise self.stop("alias_expansion", f"aliases stand for more than {MAX_EXPANSION} values", offset)
        self.count += values

    def stop(self, code: str, message: str, offset: int, hint: str | None = None) -> Stop:
        """The exception to raise where reading cannot go on."""
        return Stop(Finding(code, "", message, hint), offset)

    def find(self, code: str, pointer: str, message: str, hint: str | None = None, at_key: bool = False) -> None:
        """Note a finding; reading goes on."""
        self.findings.append(Finding(code, pointer, message, hint, at_key))

    def key(self, members: Mapping[str, Any], pointer: str, key: str, offset: int) -> str:
        """The pointer of a member about to be read; its first value counts if the key is written twice."""
        member = f"{pointer}/{pointer_token(key)}"
        if key in members:
            line, _ = self.positions.place(self.positions.keys[member])
            message = f"the key `{key}` is written twice in one object, first in line {line}"
            self.findings.append(Finding("duplicate_key", member, message, place=self.positions.place(offset)))
            return member + "\0"
        self.positions.keys[member] = offset
        self.text_value(key, member)
        return member

    def text_value(self, text: str, pointer: str) -> str:
        """The text, if it can be written as UTF-8; else a finding and a stand-in."""
        if text.isascii():
            return text
        try:
            text.encode()
        except UnicodeEncodeError:
            self.find("bad_string", pointer, "a lone surrogate cannot be written as UTF-8")
            return ""
        return text

    def number(self, written: str, whole: bool, pointer: str) -> int | float | None:
        """The number, if JSON and 64 bits can hold it; else a finding."""
        if whole:
            if len(written) <= 24 and SMALLEST_INTEGER <= (integer := int(written)) <= LARGEST_INTEGER:
                return integer
            self.find("bad_number", pointer, "an integer beyond 64 bits", "write it as text")
            return None
        value = float(written)
        if math.isfinite(value):
            return value
        self.find("bad_number", pointer, f"{written} is too large for a number")
        return None

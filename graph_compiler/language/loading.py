"""Text to data: JSON or YAML within limits, with every value's place, and issues instead of exceptions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from graph_compiler.language.issues import Finding, Issue
from graph_compiler.language.json_reader import read_json
from graph_compiler.language.positions import Positions
from graph_compiler.language.reading import Reading, Stop
from graph_compiler.language.yaml_reader import read_yaml

Syntax = Literal["json", "yaml"]
MAX_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Loaded:
    """What a text says: `data` is None with an issue if it says nothing."""

    data: Any
    positions: Positions
    issues: tuple[Issue, ...]


def load(source: bytes | str, *, syntax: Syntax | None = None, max_bytes: int = MAX_BYTES) -> Loaded:
    """Read a document; without `syntax`, text that begins with `{` or `[` is JSON and everything else YAML.

    Never raises for what the text is: not UTF-8, too large, too deep, not JSON or YAML are issues.
    """
    raw = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
    if len(raw) > max_bytes:
        return _refused("too_large", f"{len(raw)} bytes; {max_bytes} are the limit")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = len(raw[raw.rfind(b"\n", 0, error.start) + 1 : error.start].decode()) + 1
        message = f"byte {error.start} (0x{raw[error.start]:02x}) is not UTF-8"
        return _refused("not_utf8", message, (line, column))
    reading = Reading(text, Positions(text))
    read = read_json if (syntax or _syntax(text)) == "json" else read_yaml
    try:
        data = read(reading)
    except Stop as stop:
        place = reading.positions.place(stop.offset)
        found = Finding(stop.finding.code, "", stop.finding.message, stop.finding.hint, place=place)
        return Loaded(None, reading.positions, locate([*reading.findings, found], reading.positions))
    return Loaded(data, reading.positions, locate(reading.findings, reading.positions))


def locate(findings: Iterable[Finding], positions: Positions) -> tuple[Issue, ...]:
    """The findings as issues with their places in the text."""
    return tuple(_located(finding, positions) for finding in findings)


def _located(finding: Finding, positions: Positions) -> Issue:
    if finding.place is not None:
        line, column = finding.place
    elif finding.inside is not None:
        line, column = positions.inside(finding.path, *finding.inside)
    elif finding.at_key:
        line, column = positions.of_key(finding.path)
    else:
        line, column = positions.of(finding.path)
    return Issue(finding.code, finding.path, finding.message, line, column, finding.hint)


def _syntax(text: str) -> Syntax:
    return "json" if text.lstrip()[:1] in ("{", "[") else "yaml"


def _refused(code: str, message: str, place: tuple[int, int] = (1, 1)) -> Loaded:
    return Loaded(None, Positions(""), (Issue(code, "", message, *place),))

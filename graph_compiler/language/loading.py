"""Text to data: JSON or YAML within limits, with every value's place, and issues instead of exceptions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from graph_compiler.language.issues import Issue
from graph_compiler.language.json_reader import read_json
from graph_compiler.language.positions import Positions
from graph_compiler.language.reading import Reading, Stop
from graph_compiler.language.yaml_reader import read_yaml
from graph_compiler.values.text_decoding import marked_encoding

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

    Text is UTF-8, or UTF-16 or UTF-32 with a byte order mark. Never raises for what the text is: not UTF-8, too
    large, too deep, not JSON or YAML are issues.
    """
    raw = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
    if len(raw) > max_bytes:
        return _refused("too_large", f"{len(raw)} bytes; {max_bytes} are the limit")
    codec, mark = marked_encoding(raw) or ("utf-8", 0)
    try:
        text = raw[mark:].decode(codec)
    except UnicodeDecodeError as error:
        begun = error.object[: error.start].decode(codec)
        message = f"byte {mark + error.start} (0x{error.object[error.start]:02x}) is not {codec.upper()}"
        return _refused("not_utf8", message, Positions(begun).place(len(begun)))
    reading = Reading(text, Positions(text))
    read = read_json if (syntax or _syntax(text)) == "json" else read_yaml
    try:
        data = read(reading)
    except Stop as stop:
        place = reading.positions.place(stop.offset)
        return Loaded(None, reading.positions, reading.positions.located([*reading.findings, stop.issue.at(place)]))
    return Loaded(data, reading.positions, reading.positions.located(reading.findings))


def _syntax(text: str) -> Syntax:
    return "json" if text.lstrip()[:1] in ("{", "[") else "yaml"


def _refused(code: str, message: str, place: tuple[int, int] = (1, 1)) -> Loaded:
    return Loaded(None, Positions(""), (Issue(code, "", message, place=place),))

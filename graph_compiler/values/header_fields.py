"""Header fields by their grammar (RFC 9110, RFC 8288): lists, quoted strings, parameters, links; never by `split`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from graph_compiler.values.text_decoding import BadText, text_of

_SPACE = " \t\r\n"
_NAME = re.compile(r"[^\s=;,<>\"]+")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_SECTION = re.compile(r"\*(\d+)(\*?)$")

Parameters = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Link:
    """One link: its target as written, and its parameters in their order, names in lower case."""

    target: str
    parameters: Parameters

    def first(self, name: str) -> str | None:
        """The first parameter of the name, which is the one that counts."""
        return next((value for given, value in self.parameters if given == name), None)

    @property
    def relations(self) -> list[str]:
        """The relation types, in lower case."""
        return (self.first("rel") or "").lower().split()


def combined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Fields by name in lower case; those that come several times are one list (RFC 9110 section 5.3)."""
    found: dict[str, str] = {}
    for given, value in pairs:
        name = given.lower()
        separator = "; " if name == "cookie" else ", "
        found[name] = f"{found[name]}{separator}{value}" if name in found else value
    return found


def media_type(field: str) -> tuple[str, dict[str, str]]:
    """A content type's media type in lower case, and the first value of each of its parameters."""
    kind, _, _ = field.partition(";")
    try:
        parameters, _ = _parameters(field, len(kind), "")
    except ValueError:
        parameters = ()
    return kind.strip().lower(), dict(reversed(parameters))


def links(field: str) -> list[Link]:
    """The links of a `Link` field. Raises ValueError if it is not written as RFC 8288 says."""
    found, place = [], 0
    while (place := _after(field, place, _SPACE + ",")) < len(field):
        close = field.find(">", place)
        if field[place] != "<" or close < 0:
            raise ValueError(f"no <target> at character {place + 1}")
        target = field[place + 1 : close].strip()
        parameters, place = _parameters(field, close + 1, ",")
        found.append(Link(target, parameters))
    return found


def extended(parameters: Iterable[tuple[str, str]], name: str) -> str | None:
    """The value of `name*` or of `name*0`, `name*1*`, … (RFC 8187, RFC 2231); None if there is none that is known."""
    given = dict(parameters)
    whole = given.get(f"{name}*")
    if whole is not None:
        return _pieces([(whole, True)])
    sections = []
    for key, value in given.items():
        match = _SECTION.match(key.removeprefix(name)) if key.startswith(f"{name}*") else None
        if match is not None and len(match[1]) < 4:
            sections.append((int(match[1]), value, bool(match[2])))
    return _pieces([(value, is_coded) for _, value, is_coded in sorted(sections)]) if sections else None


def parameters_of(field: str) -> Parameters:
    """The parameters after a field's first value, in their order. Raises ValueError."""
    return _parameters(field, len(field.partition(";")[0]), "")[0]


def _pieces(sections: list[tuple[str, bool]]) -> str | None:
    charset, content = "utf-8", b""
    if sections[0][1]:
        charset, mark, first = sections[0][0].partition("'")
        _, second, first = first.partition("'")
        if not mark or not second:
            return None
        sections = [(first, True), *sections[1:]]
    for value, is_coded in sections:
        content += unquote_to_bytes(value) if is_coded else value.encode("latin-1", "replace")
    try:
        return text_of(content, charset)
    except BadText:
        return None


def _parameters(field: str, place: int, ends: str) -> tuple[Parameters, int]:
    found = []
    while (place := _after(field, place, _SPACE)) < len(field) and field[place] not in ends:
        if field[place] != ";":
            raise ValueError(f"no ; at character {place + 1}")
        place = _after(field, place + 1, _SPACE)
        name = _NAME.match(field, place)
        if name is None:
            if place < len(field) and field[place] not in ";" + ends:
                raise ValueError(f"no name at character {place + 1}")
            continue
        value, place = _value(field, _after(field, name.end(), _SPACE), ends)
        found.append((name[0].lower(), value))
    return tuple(found), place


def _value(field: str, place: int, ends: str) -> tuple[str, int]:
    if not field.startswith("=", place):
        return "", place
    place = _after(field, place + 1, _SPACE)
    if field.startswith('"', place):
        quoted = _QUOTED.match(field, place)
        if quoted is None:
            raise ValueError(f"the text that begins at character {place + 1} has no end")
        return re.sub(r"\\(.)", r"\1", quoted[1], flags=re.DOTALL), quoted.end()
    end = place
    while end < len(field) and field[end] not in ";" + ends:
        end += 1
    return field[place:end].strip(), end


def _after(field: str, place: int, characters: str) -> int:
    while place < len(field) and field[place] in characters:
        place += 1
    return place

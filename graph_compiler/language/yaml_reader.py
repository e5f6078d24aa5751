"""Reads YAML as JSON data: events by libyaml, scalars by the core schema of YAML 1.2, every value's place kept.

So `no` and `on` and dates are text, aliases are counted where they are used, and what JSON cannot say is refused.
libyaml through PyYAML reads a thousand nodes in 40 ms; ruamel.yaml, pure Python, needs 760 ms.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from graph_compiler.language.reading import MAX_DEPTH, Reading, Stop

_TAG = "tag:yaml.org,2002:"
_TYPES = {"str": str, "int": int, "float": float, "bool": bool, "null": type(None), "map": dict, "seq": list}
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(reading: Reading) -> Any:
    """The value of the text's one document; raises `Stop` where reading cannot go on."""
    try:
        return _Reader(reading).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = ", ".join(filter(None, (error.context, error.problem))) or "not YAML"
        raise reading.stop("bad_syntax", message, mark.index if mark else 0) from None
    except yaml.reader.ReaderError as error:
        raise reading.stop("bad_syntax", error.reason, _character_offset(reading.text, error.position)) from None


class _Reader:
    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.events: Iterator[yaml.Event] = yaml.parse(reading.text, Loader=_LOADER)
        self.anchors: dict[str, tuple[Any, int] | None] = {}

    def document(self) -> Any:
        value = None
        documents = 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._stop("unsupported_yaml", "more than one document", event)
                value = self._value(next(self.events), "", 1)
        return value

    def _value(self, event: yaml.Event, pointer: str, depth: int) -> Any:
        """The value that the event begins; `depth` is bounded, so recursion is too."""
        before = self.reading.count
        self.reading.enter(pointer, _offset(event), depth)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, depth)
        assert isinstance(event, yaml.ScalarEvent | yaml.SequenceStartEvent | yaml.MappingStartEvent)
        if event.anchor:
            self.anchors[event.anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event, pointer)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(event, pointer, depth)
        else:
            value = self._mapping(event, pointer, depth)
        if event.anchor:
            self.anchors[event.anchor] = (value, self.reading.count - before)
        return value

    def _alias(self, event: yaml.AliasEvent, depth: int) -> Any:
        if event.anchor not in self.anchors:
            raise self._stop("bad_syntax", f"the alias `*{event.anchor}` has no anchor before it", event)
        anchored = self.anchors[event.anchor]
        if anchored is None:
            raise self._stop("alias_expansion", f"the alias `*{event.anchor}` contains itself", event)
        value, size = anchored
        self.reading.expand(size, _offset(event))
        if depth + _height(value) - 1 > MAX_DEPTH:
            raise self._stop("too_deep", f"nested more than {MAX_DEPTH} levels deep", event)
        return value

    def _sequence(self, event: yaml.SequenceStartEvent, pointer: str, depth: int) -> list[Any]:
        self._tag(event, pointer, list)
        items: list[Any] = []
        for item in self.events:
            if isinstance(item, yaml.SequenceEndEvent):
                break
            items.append(self._value(item, f"{pointer}/{len(items)}", depth + 1))
        return items

    def _mapping(self, event: yaml.MappingStartEvent, pointer: str, depth: int) -> dict[str, Any]:
        self._tag(event, pointer, dict)
        members: dict[str, Any] = {}
        for item in self.events:
            if isinstance(item, yaml.MappingEndEvent):
                break
            key = self._key(item, pointer)
            member = self.reading.key(members, pointer, key, _offset(item))
            value = self._value(next(self.events), member, depth + 1)
            members.setdefault(key, value)
        return members

    def _key(self, event: yaml.Event, pointer: str) -> str:
        if isinstance(event, yaml.ScalarEvent):
            if not event.style and event.value == "<<":
                raise self._stop("unsupported_yaml", "merge keys (`<<`) are not part of YAML 1.2", event)
            value = self._scalar(event, pointer)
            if event.anchor:
                self.anchors[event.anchor] = (value, 1)
        else:
            value = self._alias(event, 1) if isinstance(event, yaml.AliasEvent) else None
        if not isinstance(value, str):
            raise self._stop("unsupported_yaml", "a key that is not text", event, "write it in quotes")
        return value

    def _scalar(self, event: yaml.ScalarEvent, pointer: str) -> Any:
        wanted = self._tag(event, pointer, None)
        if wanted is str or (event.style and wanted is None):
            self.reading.positions.styles[pointer] = event.style or "plain"
            return self.reading.text_value(event.value, pointer)
        value = self._plain(event.value, pointer)
        if isinstance(value, str):
            self.reading.positions.styles[pointer] = event.style or "plain"
        if wanted is float and isinstance(value, int):
            value = float(value)
        if wanted is not None and type(value) is not wanted:
            raise self._stop("unsupported_yaml", f"`{event.value}` is not of its tag's type", event)
        return value

    def _plain(self, text: str, pointer: str) -> Any:
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text):
            decimal = text if text[:2] not in ("0o", "0x") else str(int(text, 0))
            return self.reading.number(decimal, True, pointer)
        if _FLOAT.fullmatch(text):
            return self.reading.number(text, False, pointer)
        if _NOT_FINITE.fullmatch(text):
            self.reading.find("bad_number", pointer, f"{text} is not a JSON number")
            return None
        return self.reading.text_value(text, pointer)

    def _tag(self, event: yaml.Event, pointer: str, found: type | None) -> type | None:
        tag = getattr(event, "tag", None)
        if tag is None:
            return None
        wanted = str if tag == "!" and found is None else _TYPES.get(str(tag).removeprefix(_TAG))
        if wanted is None or (found is not None and wanted is not found):
            raise self._stop("unsupported_yaml", f"the tag `{tag}` has no meaning in JSON", event)
        return wanted

    def _stop(self, code: str, message: str, event: yaml.Event, hint: str | None = None) -> Stop:
        return self.reading.stop(code, message, _offset(event), hint)


def _offset(event: yaml.Event) -> int:
    return int(event.start_mark.index) if event.start_mark else 0


def _height(value: Any) -> int:
    """Levels of a value that was read, and so has few of them."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_height, parts), default=0)


def _character_offset(text: str, position: int) -> int:
    """libyaml counts bytes where the text has characters it refuses."""
    return len(text.encode()[:position].decode(errors="ignore"))

"""Bodies of multipart/form-data, whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from graph_compiler.values.file_values import OCTETS


class BadMultipart(Exception):
    """The body is not multipart; the text says why."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part; `filename` is None for a field, and `media_type` has no parameters."""

    content: bytes
    filename: str | None
    media_type: str


def parse_multipart(body: bytes, content_type: str, most: int) -> list[tuple[str, Part]]:
    """The parts with their names, in their order; at most `most`. Raises `BadMultipart`."""
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise BadMultipart("The content type names no boundary.")
    parts = _Parts(most)
    names = [name for name in dir(parts) if name.startswith("on_")]
    try:
        parser = MultipartParser(boundary, {name: getattr(parts, name) for name in names})  # type: ignore[arg-type]
        parser.write(body)
        parser.finalize()
    except MultipartParseError as error:
        raise BadMultipart(f"The body is not multipart: {error}.") from None
    if not parts.ended:
        raise BadMultipart("The body is not multipart: it ends before its last boundary.")
    return parts.found


class _Parts:
    """Collects the parts from the parser's calls."""

    def __init__(self, most: int) -> None:
        self.found: list[tuple[str, Part]] = []
        self.ended = False
        self._most = most
        self._headers: dict[str, bytes] = {}
        self._name = self._value = b""
        self._data = bytearray()  # the parser hands over a piece for each line

    def on_part_begin(self) -> None:
        self._headers, self._data = {}, bytearray()

    def on_header_begin(self) -> None:
        self._name = self._value = b""

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        self._headers[self._name.decode("latin-1").lower()] = self._value

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._data += data[start:end]

    def on_part_end(self) -> None:
        _, options = parse_options_header(self._headers.get("content-disposition", b""))
        name, filename = options.get(b"name"), options.get(b"filename")
        if name is None or len(self.found) >= self._most:
            raise BadMultipart("A part has no name." if name is None else f"The body has more than {self._most} parts.")
        kind = "text/plain" if filename is None else self._media_type()
        file = None if filename is None else filename.decode("utf-8", "replace")
        self.found.append((name.decode("utf-8", "replace"), Part(bytes(self._data), file, kind)))

    def on_end(self) -> None:
        self.ended = True

    def _media_type(self) -> str:
        return self._headers.get("content-type", b"").decode("latin-1").partition(";")[0].strip() or OCTETS

"""Bodies of multipart/form-data, whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass, replace

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from graph_compiler.values.file_values import OCTETS
from graph_compiler.values.header_fields import extended, media_type, parameters_of
from graph_compiler.values.text_decoding import BadText, text_of

_LONGEST_CHARSET = 100


class BadMultipart(Exception):
    """The body is not multipart; the text says why."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part; `filename` is None for a field, and `media_type` has no parameters."""

    content: bytes
    filename: str | None
    media_type: str
    charset: str | None = None

    def text(self) -> str:
        """A field's text, in the charset that it or the form declares, else UTF-8. Raises `BadMultipart`."""
        try:
            return text_of(self.content, self.charset)
        except BadText as error:
            raise BadMultipart(f"A field is neither a file nor text: {error}.") from None


def parse_multipart(body: bytes, content_type: str, most: int) -> list[tuple[str, Part]]:
    """The parts with their names, in their order; at most `most`. Raises `BadMultipart`."""
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise BadMultipart("The content type names no boundary.")
    parts = _Parts(most)
    names = [name for name in dir(parts) if name.startswith("on_")]
    try:
        parser = MultipartParser(boundary, {name: getattr(parts, name) for name in names})  # type: ignore[arg-type]  # on_ methods
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise BadMultipart(f"The body is not multipart: {error}.") from None
    if not parts.ended:
        raise BadMultipart("The body is not multipart: it ends before its last boundary.")
    return _with_charset(parts.found)


def _with_charset(parts: list[tuple[str, Part]]) -> list[tuple[str, Part]]:
    """A field `_charset_` says it for all that do not (RFC 7578 section 4.6)."""
    named = next((part for name, part in parts if name == "_charset_" and part.filename is None), None)
    if named is None:
        return parts
    charset = named.content[:_LONGEST_CHARSET].decode("latin-1").strip()

    def takes_it(part: Part) -> bool:
        return part.filename is None and part.charset is None and part is not named

    return [(name, replace(part, charset=charset) if takes_it(part) else part) for name, part in parts]


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
        disposition = self._headers.get("content-disposition", b"")
        _, options = parse_options_header(disposition)
        name, filename = options.get(b"name"), _filename(disposition, options.get(b"filename"))
        if name is None or len(self.found) >= self._most:
            raise BadMultipart("A part has no name." if name is None else f"The body has more than {self._most} parts.")
        sent, parameters = media_type(self._headers.get("content-type", b"").decode("latin-1"))
        kind, charset = ("text/plain", parameters.get("charset")) if filename is None else (sent or OCTETS, None)
        self.found.append((name.decode("utf-8", "replace"), Part(bytes(self._data), filename, kind, charset)))

    def on_end(self) -> None:
        self.ended = True


def _filename(disposition: bytes, plain: bytes | None) -> str | None:
    """The name in any of its forms; `filename*` counts more, for it says its charset."""
    try:
        coded = extended(parameters_of(disposition.decode("latin-1")), "filename")
    except ValueError:
        coded = None
    return plain.decode("utf-8", "replace") if coded is None and plain is not None else coded

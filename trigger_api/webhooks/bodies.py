"""Bodies as values that templates can use, by what the webhook asks for or the content type says."""

from __future__ import annotations

import base64
import json
from email.message import Message
from typing import Any
from urllib.parse import parse_qsl

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from platform_core.errors import UnsupportedMediaType
from platform_core.web.strict_json import loads
from trigger_api.webhooks.call import Call, gathered

MAX_FIELDS = 1000
_FORM = "application/x-www-form-urlencoded"


class BadBody(Exception):
    """The body is not what its content type says; the text says why."""


def kind_of(call: Call, wanted: str) -> str:
    """What the body is: json, form, multipart, xml, text, bytes or none. Raises `UnsupportedMediaType`."""
    sent = _sent(call.content_type)
    if wanted == "bytes":
        return "bytes"
    if not call.content_type:
        if not call.body:
            return "none"
        return "json" if wanted == "auto" else wanted
    if wanted == sent or (wanted == "auto" and sent != "bytes") or (wanted == "text" and sent == "xml"):
        return sent
    raise UnsupportedMediaType(
        f"A body of type {call.content_type:.100} is not taken here"
        + ("." if wanted == "auto" else f"; the webhook asks for {wanted}.")
    )


def _sent(content_type: str) -> str:
    kind, _, subtype = content_type.partition("/")
    if subtype == "json" or subtype.endswith("+json"):
        return "json"
    if content_type == _FORM:
        return "form"
    if content_type == "multipart/form-data":
        return "multipart"
    if subtype == "xml" or subtype.endswith("+xml"):
        return "xml"
    return "text" if kind == "text" else "bytes"


def value_of(call: Call, kind: str) -> Any:
    """The body's value: JSON's own, an object of form fields, text, or an object that holds bytes as base64.

    Raises `BadBody`.
    """
    if kind == "none":
        return None
    if kind == "bytes":
        return file_of(None, call.content_type or "application/octet-stream", call.body)
    if kind == "json":
        return _json(call.body)
    if kind == "form":
        return _form(call)
    return _multipart(call) if kind == "multipart" else _text(call)


def payload_of_form(call: Call) -> Any:
    """The JSON in the form field `payload`, which is GitHub's other encoding. Raises `BadBody`."""
    payload = _form(call).get("payload")
    if not isinstance(payload, str):
        raise BadBody("a form without its one field payload")
    return _json(payload)


def file_of(name: str | None, content_type: str, content: bytes) -> dict[str, Any]:
    """A file, or any bytes, as a value; `size` is in bytes."""
    return {
        "filename": name,
        "content_type": content_type,
        "size": len(content),
        "base64": base64.b64encode(content).decode(),
    }


def _json(text: bytes | str) -> Any:
    try:
        return loads(text)
    except json.JSONDecodeError as error:
        raise BadBody(f"The body is not JSON: {error.msg}.") from None


def _form(call: Call) -> dict[str, Any]:
    try:
        pairs = parse_qsl(call.body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError as error:
        raise BadBody(f"The body is not a form: {error}.") from None
    return gathered(pairs)


def _text(call: Call) -> str:
    message = Message()
    message["content-type"] = call.headers.get("content-type", "")
    charset = str(message.get_param("charset", "utf-8"))
    try:
        return call.body.decode(charset)
    except (LookupError, UnicodeDecodeError):
        raise BadBody(f"The body is not text in {charset:.40}.") from None


class _Parts:
    """Collects the parts of a multipart body from the parser's calls."""

    def __init__(self) -> None:
        self.fields: list[tuple[str, Any]] = []
        self.ended = False
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
        name = options.get(b"name")
        if name is None or len(self.fields) >= MAX_FIELDS:
            raise BadBody("a part without a name" if name is None else f"more than {MAX_FIELDS} parts")
        self.fields.append((name.decode("utf-8", "replace"), self._part(options.get(b"filename"))))

    def on_end(self) -> None:
        self.ended = True

    def _part(self, filename: bytes | None) -> Any:
        if filename is not None:
            kind = self._headers.get("content-type", b"application/octet-stream").decode("latin-1")
            return file_of(filename.decode("utf-8", "replace"), kind, bytes(self._data))
        try:
            return self._data.decode()
        except UnicodeDecodeError:
            raise BadBody("a field that is neither a file nor text in UTF-8") from None


def _multipart(call: Call) -> dict[str, Any]:
    _, options = parse_options_header(call.headers["content-type"])
    boundary = options.get(b"boundary")
    if not boundary:
        raise BadBody("The content type names no boundary.")
    parts = _Parts()
    names = [name for name in dir(parts) if name.startswith("on_")]
    try:
        parser = MultipartParser(boundary, {name: getattr(parts, name) for name in names})  # type: ignore[arg-type]
        parser.write(call.body)
        parser.finalize()
    except MultipartParseError as error:
        raise BadBody(f"The body is not multipart: {error}.") from None
    if not parts.ended:
        raise BadBody("The body ends before its last boundary.")
    return gathered(parts.fields)

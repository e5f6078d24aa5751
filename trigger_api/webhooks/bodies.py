"""Bodies as values that templates can use, by what the webhook asks for or the content type says."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from email.message import Message
from typing import Any
from urllib.parse import parse_qsl

from graph_compiler.values.file_values import OCTETS
from platform_core.errors import UnsupportedMediaType
from platform_core.web.strict_json import loads
from trigger_api.shared.multipart import BadMultipart, Part, parse_multipart
from trigger_api.webhooks.call import Call, gathered

MAX_FIELDS = 1000
MULTIPART = "multipart/form-data"
_FORM = "application/x-www-form-urlencoded"
FileTaker = Callable[[Part], Any]


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
    if content_type == MULTIPART:
        return "multipart"
    if subtype == "xml" or subtype.endswith("+xml"):
        return "xml"
    return "text" if kind == "text" else "bytes"


def value_of(call: Call, kind: str, file: FileTaker) -> Any:
    """The body's value: JSON's own, an object of form fields, text, or an object that holds bytes as base64.

    `file` gives the value of a multipart body's file. Raises `BadBody`.
    """
    if kind == "none":
        return None
    if kind == "bytes":
        return _bytes(call)
    if kind == "json":
        return _json(call.body)
    if kind == "form":
        return _form(call)
    return _multipart(call, file) if kind == "multipart" else _text(call)


def payload_of_form(call: Call) -> Any:
    """The JSON in the form field `payload`, which is GitHub's other encoding. Raises `BadBody`."""
    payload = _form(call).get("payload")
    if not isinstance(payload, str):
        raise BadBody("a form without its one field payload")
    return _json(payload)


def _bytes(call: Call) -> dict[str, Any]:
    return {
        "filename": None,
        "content_type": call.content_type or OCTETS,
        "size": len(call.body),
        "base64": base64.b64encode(call.body).decode(),
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


def _multipart(call: Call, file: FileTaker) -> dict[str, Any]:
    try:
        parts = parse_multipart(call.body, call.headers.get("content-type", ""), MAX_FIELDS)
        values = [(name, part.content.decode() if part.filename is None else file(part)) for name, part in parts]
    except BadMultipart as error:
        raise BadBody(str(error)) from None
    except UnicodeDecodeError:
        raise BadBody("A field is neither a file nor text in UTF-8.") from None
    return gathered(values)

"""The parts of a multipart launch: what each becomes as a param, by what the graph's schema says of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from graph_compiler.language.params import schema_of
from graph_compiler.values.pointers import pointer
from platform_core.errors import BadRequest, InvalidParams
from platform_core.web.strict_json import loads
from trigger_api.shared.multipart import BadMultipart, Part, parse_multipart
from trigger_api.shared.uploads import Uploads

MOST_PARTS = 200
LAUNCH = "$launch"
"""The part that is the JSON body of an ordinary launch."""


def read_parts(body: bytes, content_type: str) -> dict[str, Part]:
    """The parts of a body by their names. Raises `BadRequest`."""
    try:
        found = parse_multipart(body, content_type, MOST_PARTS)
    except BadMultipart as error:
        raise BadRequest(str(error)) from None
    parts: dict[str, Part] = {}
    for name, part in found:
        if name in parts:
            raise BadRequest(f"The part {name[:100]!r} comes twice.")
        parts[name] = part
    return parts


def params_of(parts: Mapping[str, Part], schema: Mapping[str, Any], uploads: Uploads) -> dict[str, Any]:
    """The params that the parts give, their files added to `uploads`. Raises `InvalidParams` naming each that is none.

    A param whose schema has `format: file` becomes a file value, with `format: bytes` bytes; any other is text in
    UTF-8, which is read as JSON unless its schema admits strings.
    """
    params: dict[str, Any] = {}
    issues = []
    for name, part in parts.items():
        wanted = schema_of(schema, name)
        if wanted.get("format") == "file":
            params[name] = uploads.add(part)
        elif wanted.get("format") == "bytes":
            params[name] = part.content
        else:
            try:
                params[name] = _value(part.content.decode(), wanted)
            except UnicodeDecodeError:
                said = "not text in UTF-8; a param with `format: file` or `format: bytes` takes any file"
                issues.append({"code": "bad_param", "path": f"/params{pointer([name])}", "message": said})
    if issues:
        raise InvalidParams("The parts do not fit the graph.", issues)
    return params


def _value(text: str, schema: Mapping[str, Any]) -> Any:
    types = schema.get("type", "string")
    if "string" in ([types] if isinstance(types, str) else types):
        return text
    try:
        return loads(text)
    except json.JSONDecodeError:
        return text

"""The parts of a multipart launch: what each becomes as a param, by what the graph's schema says of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from graph_compiler.errors import NodeError
from graph_compiler.file_values import OCTETS, SCHEME, checked_path, file_value
from graph_compiler.params import schema_of
from graph_compiler.pointers import pointer
from platform_core.errors import BadRequest, InvalidParams
from platform_core.web.strict_json import loads

MOST_PARTS = 200
LAUNCH = "$launch"
"""The part that is the JSON body of an ordinary launch."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part; `filename` is None for a field."""

    content: bytes
    filename: str | None
    media_type: str


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file to keep before the run is accepted."""

    path: str
    content: bytes


class _StrictParser(MultiPartParser):
    """Knows whether the last boundary came, and the bytes of fields.

    The library takes a body that was cut off for a shorter one, and text that is not UTF-8 for Latin-1.
    """

    def __init__(self, headers: Headers, stream: AsyncGenerator[bytes, None], limit: int) -> None:
        super().__init__(headers, stream, max_files=MOST_PARTS, max_fields=MOST_PARTS, max_part_size=limit)
        self.ended = False
        self.fields: dict[int, bytes] = {}

    def on_part_end(self) -> None:
        if self._current_part.file is None:
            self.fields[len(self.items)] = bytes(self._current_part.data)
        super().on_part_end()

    def close(self) -> None:
        """Close all files, also that of a part that was cut off, which the form does not have."""
        for file in self._files_to_close_on_error:
            file.close()

    def on_end(self) -> None:
        self.ended = True


async def read_parts(headers: Headers, stream: AsyncGenerator[bytes, None], limit: int) -> dict[str, Part]:
    """The parts of a body by their names; `limit` is in bytes. Raises `BadRequest`."""
    parser = _StrictParser(headers, stream, limit)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise BadRequest(f"The body is not multipart: {error.message}") from None
    try:
        if not parser.ended:
            raise BadRequest("The body is not multipart: it ends before its last boundary.")
        parts: dict[str, Part] = {}
        for place, (name, value) in enumerate(form.multi_items()):
            if name in parts:
                raise BadRequest(f"The part {name[:100]!r} comes twice.")
            parts[name] = (
                Part(parser.fields[place], None, "text/plain") if isinstance(value, str) else await _file(value)
            )
        return parts
    finally:
        parser.close()


async def _file(sent: UploadFile) -> Part:
    media_type = (sent.content_type or "").partition(";")[0].strip() or OCTETS
    return Part(await sent.read(), sent.filename or "", media_type)


def params_of(parts: Mapping[str, Part], schema: Mapping[str, Any]) -> tuple[dict[str, Any], list[StoredFile]]:
    """The params that the parts give, and the files to keep for them. Raises `InvalidParams` naming each that is none.

    A param whose schema has `format: file` becomes a file value, with `format: bytes` bytes; any other is text in
    UTF-8, which is read as JSON unless its schema admits strings.
    """
    params: dict[str, Any] = {}
    files: list[StoredFile] = []
    issues = []
    for name, part in parts.items():
        wanted = schema_of(schema, name)
        if wanted.get("format") == "file":
            file = StoredFile(_path(part), part.content)
            files.append(file)
            size = len(part.content)
            digest = hashlib.sha256(part.content).hexdigest()
            params[name] = file_value(SCHEME + file.path, size=size, media_type=part.media_type, sha256=digest)
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
    return params, files


def _value(text: str, schema: Mapping[str, Any]) -> Any:
    types = schema.get("type", "string")
    if "string" in ([types] if isinstance(types, str) else types):
        return text
    try:
        return loads(text)
    except json.JSONDecodeError:
        return text


def _path(part: Part) -> str:
    """Named by the content, so that the same request again is the same file; the name is the sender's if it can be."""
    folder = f"uploads/{hashlib.sha256(part.content).hexdigest()}"
    name = (part.filename or "").replace("\\", "/").rpartition("/")[2]
    try:
        return checked_path(f"{folder}/{name}")
    except NodeError:
        return f"{folder}/file"

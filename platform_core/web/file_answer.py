"""A file as an answer: ranges, validators, and headers that keep a stored page from being a page of our origin."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Header, Query
from fastapi.responses import Response, StreamingResponse

from platform_core.errors import RangeNotSatisfiable
from platform_core.runs.owner_files import StoredFile
from platform_core.web.security_headers import POLICY, SANDBOX

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_SAFETY = {
    POLICY: f"default-src 'none'; {SANDBOX}",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
    "Accept-Ranges": "bytes",
}

RangeHeader = Annotated[
    str | None, Header(alias="Range", max_length=200, description="One range of bytes, such as `bytes=0-1023`.")
]
IfRangeHeader = Annotated[
    str | None,
    Header(alias="If-Range", max_length=200, description="The range is wanted only of the file with this ETag."),
]
IfNoneMatchHeader = Annotated[
    str | None, Header(alias="If-None-Match", max_length=2000, description="ETags of the content that the caller has.")
]
InlineQuery = Annotated[
    bool, Query(description="Answer `Content-Disposition: inline`, so that a browser shows the file if it can.")
]

# Generators of clients know no `*/*`; to all of them these are bytes.
_BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file; its media type is that of its name", "content": _BYTES},
    206: {"description": "The range of it", "content": _BYTES},
    304: {"description": "The caller has it"},
}
"""How OpenAPI shows a route that answers a file; it can also raise `RangeNotSatisfiable`."""


@dataclass(frozen=True)
class Wish:
    """What the request asks of the file."""

    range: str | None = None
    if_range: str | None = None
    if_none_match: str | None = None
    inline: bool = False


def file_answer(file: StoredFile, name: str, media_type: str, wish: Wish) -> Response:
    """The file, one range of it (206), or nothing if the caller has it (304). Raises `RangeNotSatisfiable`."""
    headers = {**_SAFETY, "ETag": file.etag, "Content-Disposition": _disposition(name, wish)}
    if wish.if_none_match is not None and _matches(wish.if_none_match, file.etag):
        file.file.close()
        return Response(status_code=304, headers=headers)
    try:
        part = _part(file, wish)
    except RangeNotSatisfiable:
        file.file.close()
        raise
    if part is None:
        return _streamed(file, 0, file.size, 200, headers, media_type)
    start, end = part
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
    return _streamed(file, start, end - start, 206, headers, media_type)


def _streamed(
    file: StoredFile, start: int, length: int, status: int, headers: Mapping[str, str], media_type: str
) -> Response:
    whole = {**headers, "Content-Length": str(length), "Content-Type": media_type}
    return StreamingResponse(file.portions(start, length), status, whole)


def _part(file: StoredFile, wish: Wish) -> tuple[int, int] | None:
    """The first byte and the one after the last; None for the whole file, as for several ranges and unknown units."""
    if wish.range is None or (wish.if_range is not None and wish.if_range != file.etag):
        return None
    found = _RANGE.fullmatch(wish.range.strip())
    if found is None or found.group() == "bytes=-":
        return None
    first, last = found.groups()
    if not first:
        start, end = max(0, file.size - int(last)), file.size
    else:
        start, end = int(first), min(file.size, int(last) + 1 if last else file.size)
        if last and int(last) < start:
            return None
    if start >= end:
        raise RangeNotSatisfiable(f"The file has {file.size} bytes.", size=file.size)
    return start, end


def _matches(wanted: str, etag: str) -> bool:
    given = [one.strip().removeprefix("W/") for one in wanted.split(",")]
    return "*" in given or etag in given


def _disposition(name: str, wish: Wish) -> str:
    return f"{'inline' if wish.inline else 'attachment'}; filename*=UTF-8''{quote(name, safe='')}"

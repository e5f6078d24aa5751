"""A webhook call as it came in, its body read as far as its webhook allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from starlette.requests import ClientDisconnect

from graph_compiler.values.header_fields import combined, media_type
from platform_core.errors import IncompleteBody, TooLarge

Values = dict[str, str | list[str]]


@dataclass(frozen=True)
class Call:
    """Header names are lower case, and those that came several times are one list (RFC 9110 section 5.3).

    The body is exactly the bytes that were signed; `path` is what follows the id.
    """

    method: str
    url_path: str
    path: str
    query: Values
    headers: Mapping[str, str]
    client: str | None
    body: bytes
    counted: set[str] = field(default_factory=set, compare=False)
    """Triggers whose rate counts this call already: it may be received a second time, by what the database says."""

    @property
    def content_type(self) -> str:
        """The media type without its parameters, in lower case."""
        return media_type(self.headers.get("content-type", ""))[0]

    @property
    def charset(self) -> str | None:
        """The charset that the content type declares."""
        return media_type(self.headers.get("content-type", ""))[1].get("charset")


class Incoming:
    """A call whose body is still to be read; it can be read on when the limit turns out to be a higher one."""

    def __init__(self, request: Request, path: str) -> None:
        self._request = request
        self.path = path
        self._stream = request.stream()
        self._body = bytearray()
        self._counted: set[str] = set()
        self.method = request.method
        self.headers = combined(request.headers.items())
        self.query = gathered(request.query_params.multi_items())
        self.client = request.client.host if request.client else None

    async def read(self, limit: int) -> Call:
        """The whole call. Raises `TooLarge` beyond `limit` bytes, `IncompleteBody` if less came than announced."""
        announced = _length(self.headers.get("content-length", ""))
        if max(announced or 0, len(self._body)) > limit:
            raise TooLarge(f"A body has at most {limit} bytes here.")
        try:
            async for chunk in self._stream:
                self._body += chunk
                if len(self._body) > limit:
                    raise TooLarge(f"A body has at most {limit} bytes here.")
        except ClientDisconnect:
            raise IncompleteBody("The connection ended before the body.") from None
        if announced is not None and announced != len(self._body):
            raise IncompleteBody(f"{announced} bytes were announced and {len(self._body)} came.")
        return Call(
            method=self.method,
            url_path=self._request.url.path,
            path=self.path,
            query=self.query,
            headers=self.headers,
            client=self.client,
            body=bytes(self._body),
            counted=self._counted,
        )


def _length(text: str) -> int | None:
    return int(text[:20]) if text.isascii() and text.isdigit() else None


def gathered(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A value for each name; a list of them where a name came more than once."""
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name not in values:
            values[name] = value
        elif isinstance(values[name], list):
            values[name].append(value)
        else:
            values[name] = [values[name], value]
    return values

"""Bodies that came packed (`Content-Encoding`), unpacked up to a size; signatures are of the packed bytes."""

from __future__ import annotations

import zlib
from dataclasses import replace

from platform_core.errors import TooLarge, UnsupportedMediaType
from trigger_api.webhooks.bodies import BadBody
from trigger_api.webhooks.call import Call

_GZIP = 16 + zlib.MAX_WBITS
_MOST = 3
"""Codings on top of each other."""


def unpacked(call: Call, limit: int) -> Call:
    """The call with the body that its codings were applied to, of `limit` bytes at most.

    Raises `UnsupportedMediaType` for a coding that is not gzip or deflate, `TooLarge`, and `BadBody` for what is none.
    """
    codings = [coding.strip().lower() for coding in call.headers.get("content-encoding", "").split(",")]
    codings = [coding.removeprefix("x-") for coding in codings if coding not in ("", "identity")]
    unknown = [coding for coding in codings if coding not in ("gzip", "deflate")]
    if unknown or len(codings) > _MOST:
        said = f"The content coding {unknown[0]:.40}" if unknown else f"More than {_MOST} content codings"
        raise UnsupportedMediaType(f"{said} is not accepted here; gzip and deflate are.")
    body = call.body
    for coding in reversed(codings):
        body = _unpacked(body, coding, limit)
    return replace(call, body=body) if codings else call


def _unpacked(body: bytes, coding: str, limit: int) -> bytes:
    found = bytearray()
    rest = body
    try:
        while rest:  # gzip allows several members in a row
            unpack = zlib.decompressobj(_GZIP if coding == "gzip" else _window(rest))
            found += unpack.decompress(rest, limit + 1 - len(found))
            if len(found) > limit:
                raise TooLarge(f"An unpacked body has at most {limit} bytes here.")
            if not unpack.eof:
                raise BadBody(f"The body is not {coding}: it ends too early.")
            rest = unpack.unused_data if coding == "gzip" else b""
    except zlib.error as error:
        raise BadBody(f"The body is not {coding}: {error}.") from None
    return bytes(found)


def _window(body: bytes) -> int:
    """Of zlib's format, which `deflate` means, or of the bare one that some senders have taken it for."""
    is_zlib = len(body) >= 2 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
    return zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS

"""Bytes from outside as text: byte order marks, and the first byte that is wrong."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from typing import Literal

Encoding = Literal["utf-8", "latin-1", "utf-16", "utf-16-le", "utf-16-be"]
"""The encodings that node types read; `utf-16` is for text with a byte order mark."""

_MARKS = (
    # Those of UTF-32 first: one begins as that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32-be", "UTF-32"),
    (codecs.BOM_UTF8, "utf-8", "UTF-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
)
_HEAD = 4
"""Bytes of the longest mark."""


class BadText(ValueError):
    """The bytes are no text of the encoding; `byte` (from 0) is the first that is wrong."""

    def __init__(self, message: str, byte: int) -> None:
        super().__init__(message)
        self.byte = byte


def marked_encoding(head: bytes) -> tuple[str, int] | None:
    """The codec that a byte order mark at the beginning of the bytes names, and the mark's length."""
    return next(((codec, len(mark)) for mark, codec, _ in _MARKS if head.startswith(mark)), None)


def decoded(portions: Iterable[bytes], encoding: Encoding) -> Iterator[str]:
    """The text of the bytes, in portions, without a byte order mark. Raises `BadText`."""
    source = iter(portions)
    head = b""
    for portion in source:
        head += portion
        if len(head) >= _HEAD:
            break
    codec, position = _codec(head, encoding)
    decoder = codecs.getincrementaldecoder(codec)()
    yield from _decoded_portion(decoder, head[position:], position, encoding)
    position = len(head)
    for portion in source:
        yield from _decoded_portion(decoder, portion, position, encoding)
        position += len(portion)
    yield from _decoded_portion(decoder, b"", position, encoding, is_last=True)


def decoded_text(content: bytes, encoding: Encoding) -> str:
    """All of the bytes as text, without a byte order mark. Raises `BadText`."""
    return "".join(decoded([content], encoding))


def _codec(head: bytes, encoding: Encoding) -> tuple[str, int]:
    """The codec to read with, and how many bytes of a mark come first."""
    mark = next((mark for mark in _MARKS if head.startswith(mark[0])), None)
    if mark is None:
        if encoding == "utf-16" and head:
            said = "there is no byte order mark of UTF-16; name its order by `utf-16-le` or `utf-16-be`"
            raise BadText(f"byte 0: {said}", 0)
        return encoding, 0
    bytes_of_mark, codec, name = mark
    if codec == encoding or (encoding == "utf-16" and name == "UTF-16"):
        return codec, len(bytes_of_mark)
    raise BadText(f"byte 0: the byte order mark of {name} begins what should be {encoding}", 0)


def _decoded_portion(
    decoder: codecs.IncrementalDecoder, portion: bytes, position: int, encoding: Encoding, is_last: bool = False
) -> Iterator[str]:
    pending = decoder.getstate()[0]
    try:
        text = decoder.decode(portion, is_last)
    except UnicodeDecodeError as error:
        byte = position - len(pending) + error.start
        yield error.object[: error.start].decode(error.encoding)  # so that lines before it can be counted
        raise BadText(f"byte {byte} (0x{error.object[error.start]:02x}) is not {encoding}", byte) from None
    if text:
        yield text

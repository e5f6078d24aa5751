"""Bytes from outside as text, never guessed and never changed in silence: charsets, byte order marks, wrong bytes."""

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
_SINGLE = "ascii latin-1 koi8-r koi8-u cp437 cp850 cp852 cp855 cp858 cp862 cp864 cp866 cp874 mac-roman mac-cyrillic"
_ISO = [f"iso8859-{part}" for part in range(2, 17) if part != 12]
_WINDOWS = [f"cp{page}" for page in range(1250, 1259)]
_ASIAN = "shift_jis cp932 euc_jp iso2022_jp gb2312 gbk gb18030 big5 big5hkscs euc_kr cp949 johab tis-620"
_UNICODE = "utf-8 utf-8-sig utf-16 utf-16-le utf-16-be utf-32 utf-32-le utf-32-be"
_CHARSETS = frozenset(
    codecs.lookup(name).name for name in [*_UNICODE.split(), *_SINGLE.split(), *_ISO, *_WINDOWS, *_ASIAN.split()]
)
"""Python has codecs besides that are no charsets, such as `idna` and `unicode_escape`."""
_LONGEST_NAME = 40


class BadText(ValueError):
    """The bytes are not text in their charset, or the charset is none that is known; the text says which.

    `byte` (from 0) is the first that is wrong, if one is.
    """

    def __init__(self, message: str, byte: int = 0) -> None:
        super().__init__(message)
        self.byte = byte


def known_charset(name: str) -> str:
    """Python's name of a charset. Raises `BadText`."""
    try:
        codec = codecs.lookup(name.strip()).name
    except (LookupError, ValueError):  # a name may hold NUL or be no ASCII
        codec = ""
    if codec not in _CHARSETS:
        raise BadText(f"the charset {name[:_LONGEST_NAME]!r} is not known here")
    return codec


def text_of(content: bytes, charset: str | None = None) -> str:
    """The text without a byte order mark; UTF-8 unless `charset`, or the mark, says otherwise. Raises `BadText`."""
    if charset is None:
        codec, mark = marked_encoding(content) or ("utf-8", 0)
    else:
        codec, mark = known_charset(charset), 0
    try:
        return content[mark:].decode(codec).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        byte = mark + error.start
        raise BadText(f"it is not text in {charset or codec} (byte {byte})", byte) from None
    except UnicodeError:
        raise BadText(f"it is not text in {charset or codec}") from None


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

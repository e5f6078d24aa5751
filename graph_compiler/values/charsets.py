"""Which charsets bytes from outside may be written in, and their text: never guessed, never changed in silence."""

from __future__ import annotations

import codecs

_SINGLE = "ascii latin-1 koi8-r koi8-u cp437 cp850 cp852 cp855 cp858 cp862 cp864 cp866 cp874 mac-roman mac-cyrillic"
_ISO = [f"iso8859-{part}" for part in range(2, 17) if part != 12]
_WINDOWS = [f"cp{page}" for page in range(1250, 1259)]
_ASIAN = "shift_jis cp932 euc_jp iso2022_jp gb2312 gbk gb18030 big5 big5hkscs euc_kr cp949 johab tis-620"
_UNICODE = "utf-8 utf-8-sig utf-16 utf-16-le utf-16-be utf-32 utf-32-le utf-32-be"
_TEXT = frozenset(
    codecs.lookup(name).name for name in [*_UNICODE.split(), *_SINGLE.split(), *_ISO, *_WINDOWS, *_ASIAN.split()]
)
"""Python has codecs besides that are no charsets, such as `idna` and `unicode_escape`."""
_LONGEST = 40
_MARKS = (("utf-8-sig", codecs.BOM_UTF8), ("utf-16", codecs.BOM_UTF16_LE), ("utf-16", codecs.BOM_UTF16_BE))


class BadText(ValueError):
    """The bytes are not text in their charset, or the charset is none that is known; the text says which."""


def known_charset(name: str) -> str:
    """Python's name of a charset. Raises `BadText`."""
    try:
        codec = codecs.lookup(name.strip()).name
    except (LookupError, ValueError):  # a name may hold NUL or be no ASCII
        codec = ""
    if codec not in _TEXT:
        raise BadText(f"the charset {name[:_LONGEST]!r} is not known here")
    return codec


def decoded(content: bytes, charset: str | None = None) -> str:
    """The text without a byte order mark; UTF-8 unless `charset`, or the mark, says otherwise. Raises `BadText`."""
    codec = _marked(content) if charset is None else known_charset(charset)
    if codec == "utf-8":
        codec = "utf-8-sig"
    try:
        return content.decode(codec).removeprefix("\ufeff")
    except UnicodeError as error:
        place = f" (byte {error.start})" if isinstance(error, UnicodeDecodeError) else ""
        raise BadText(f"it is not text in {charset or codec.removesuffix('-sig')}{place}") from None


def _marked(content: bytes) -> str:
    return next((codec for codec, mark in _MARKS if content.startswith(mark)), "utf-8")

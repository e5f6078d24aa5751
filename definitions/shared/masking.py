"""Secrets that a run has read, and text and values without them.

What is written is masked as a whole and cut afterwards. Where a text was cut before it came here, its ellipsis says
so, and the part of a secret that is left beside it is masked, too.
"""

from __future__ import annotations

import codecs
import json
import re
import threading
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from typing import Any, AnyStr
from urllib.parse import quote, quote_plus, unquote, urlsplit

from graph_compiler.values.texts import ELLIPSIS

MASK = "***"
SHORTEST = 4
"""Characters of the shortest secret, or part of one, that is masked: a shorter one would garble all else."""
_IN_URLS = "!$&'()*+,;=:/?@[]~"
"""What clients leave as it is in a URL that was written with it."""

Span = tuple[int, int]


class Masking:
    """Replaces each secret it was given, also as URLs, JSON, Python and Base64 write it, and each line of it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: tuple[str, ...] = ()
        self._bytes: tuple[bytes, ...] = ()

    def add(self, secret: str) -> None:
        """From now on mask this one, too."""
        parts = [secret, *(line.strip() for line in secret.splitlines()), *_passwords(secret)]
        forms = {form for part in parts for form in _forms(part) if len(form) >= SHORTEST}
        with self._lock:
            self._known = tuple(sorted({*self._known, *forms}, key=len, reverse=True))
            self._bytes = tuple(form.encode(errors="surrogatepass") for form in self._known)

    def text(self, text: str) -> str:
        """The text without secrets."""
        known = self._known
        if not known or not (ELLIPSIS in text or any(form in text for form in known)):
            return text
        return _without(text, _merged([*_occurrences(text, known), *_beside_cuts(text, known)]))

    def value(self, value: Any) -> Any:
        """The value without secrets, in keys too, and in bytes as UTF-8."""
        return self._masked(value) if self._known else value

    def cut(self, text: str) -> str:
        """A text whose rest was dropped, without secrets and without the beginning of one at its end."""
        known = self._known
        end = _open_end(text, known)
        spans = [*_occurrences(text, known), *_beside_cuts(text, known)]
        if len(text) - end >= SHORTEST:
            spans.append((end, len(text)))
        return _without(text, _merged(spans))

    def pieces(self, text: str, most: int) -> tuple[list[str], str]:
        """As many pieces of `most` characters as are complete, each without secrets, and the rest as it came.

        None ends within a secret, nor within what the characters that follow may make one.
        """
        if len(text) < most:
            return [], text
        known = self._known
        whole = _occurrences(text, known)
        end = _open_end(text, known)
        spans = _merged([*whole, *([(end, len(text) + 1)] if end < len(text) else [])])
        found, start = [], 0
        while len(text) - start >= most:
            place = _place(spans, start, start + most)
            if place > len(text):  # one secret that is longer than a piece, or several that overlap without an end
                if len(text) - start < most + 2 * len(known[0]):
                    break
                place = max((end for begin, end in whole if begin >= start), default=start + most)
            found.append(self.text(text[start:place]))
            start = place
        return found, text[start:]

    def line(self, text: str, most: int) -> list[str]:
        """A whole line without secrets, in pieces of at most `most` characters."""
        masked = self.text(text)
        return [masked[start : start + most] for start in range(0, len(masked) or 1, most)]

    def _masked(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bytes):
            if not any(form in value for form in self._bytes):
                return value
            return _bytes_without(value, _merged(_occurrences(value, self._bytes)))
        if isinstance(value, list):
            return [self._masked(item) for item in value]
        if isinstance(value, dict):
            return {self.text(key): self._masked(item) for key, item in value.items()}
        return value


class MaskedLines:
    """Splits a stream of bytes into lines of text without secrets; a longer one than `most` comes in pieces.

    Bytes that are not UTF-8 become U+FFFD. `masking` is asked for each portion: secrets are read meanwhile.
    """

    def __init__(self, masking: Callable[[], Masking], most: int) -> None:
        self._masking = masking
        self._most = most
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""

    def feed(self, data: bytes) -> list[str]:
        """The lines, or pieces of them, that are complete with these bytes."""
        *lines, rest = (self._rest + self._decode(data)).split("\n")
        masking = self._masking()
        found = [piece for line in lines for piece in masking.line(line.removesuffix("\r"), self._most)]
        pieces, self._rest = masking.pieces(rest, self._most)
        return found + pieces

    def finish(self, *, is_cut: bool = False) -> list[str]:
        """A last line that has no end, which its writer, or a limit if `is_cut`, left unfinished."""
        rest, self._rest = self._rest, ""
        text = self._masking().cut(rest) + ("" if is_cut else self._decode(b"", True))
        return [text[start : start + self._most] for start in range(0, len(text), self._most)]


def _passwords(secret: str) -> list[str]:
    """The password of an address such as smtp://user:password@host, which a server's words may repeat by itself."""
    try:
        password = urlsplit(secret.strip()).password or ""
    except ValueError:
        return []
    return [password, unquote(password)]


def _forms(part: str) -> Iterator[str]:
    yield part
    for written in (quote(part, safe=""), quote_plus(part), quote(part), quote(part, safe=_IN_URLS)):
        yield written
        yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), written)
    for ascii_only in (True, False):
        once = json.dumps(part, ensure_ascii=ascii_only)[1:-1]
        yield once
        yield json.dumps(once, ensure_ascii=ascii_only)[1:-1]  # JSON within JSON, as services write what they got
    yield repr(part)[1:-1]
    if len(part) >= SHORTEST:
        yield from _in_base64(part.encode(errors="surrogatepass"))


def _in_base64(secret: bytes) -> Iterator[str]:
    """What all Base64 texts have in common whose bytes hold the secret, such as a name and a password in one."""
    for before in range(3):
        for encode in (b64encode, urlsafe_b64encode):
            text = encode(b"\0" * before + secret).decode("ascii")
            mixed = (len(secret) + before) % 3  # the last character holds bits of what follows
            yield text[(0, 2, 3)[before] : len(text) - (0, 3, 2)[mixed]]


def _occurrences(text: AnyStr, known: tuple[AnyStr, ...]) -> list[Span]:
    found = []
    for form in known:
        place = text.find(form)
        while place >= 0:
            found.append((place, place + len(form)))
            place = text.find(form, place + 1)
    return found


def _merged(spans: list[Span]) -> list[Span]:
    """Those that overlap as one, in their order."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        elif start < end:
            merged.append((start, end))
    return merged


def _open_end(text: str, known: tuple[str, ...]) -> int:
    """Where the longest end of the text begins that may become a secret; its length if there is none."""
    begins = len(text)
    for form in known:
        place = text.find(form[0], max(0, len(text) - len(form) + 1))
        while 0 <= place < begins:
            if form.startswith(text[place:]):
                begins = place
                break
            place = text.find(form[0], place + 1)
    return begins


def _open_begin(text: str, known: tuple[str, ...]) -> int:
    """Where the longest beginning of the text ends that may be the end of a secret."""
    ends = 0
    for form in known:
        place = text.rfind(form[-1], 0, len(form) - 1)
        while place >= ends:
            if form.endswith(text[: place + 1]):
                ends = place + 1
                break
            place = text.rfind(form[-1], 0, place)
    return ends


def _beside_cuts(text: str, known: tuple[str, ...]) -> Iterator[Span]:
    """What is left of secrets at each ellipsis."""
    place = text.find(ELLIPSIS)
    while place >= 0:
        after = place + len(ELLIPSIS)
        begin, end = _open_end(text[:place], known), _open_begin(text[after:], known)
        if place - begin >= SHORTEST:
            yield begin, place
        if end >= SHORTEST:
            yield after, after + end
        place = text.find(ELLIPSIS, after)


def _place(spans: list[Span], start: int, wanted: int) -> int:
    """Where to end a piece: as wanted, or else before the secret there, or after one that begins with the piece."""
    for begin, end in spans:
        if begin < wanted < end:
            return begin if begin > start else end
    return wanted


def _without(text: str, spans: list[Span]) -> str:
    shown, start = [], 0
    for begin, end in spans:
        shown += [text[start:begin], MASK]
        start = end
    return "".join([*shown, text[start:]])


def _bytes_without(value: bytes, spans: list[Span]) -> bytes:
    shown, start = [], 0
    for begin, end in spans:
        shown += [value[start:begin], MASK.encode()]
        start = end
    return b"".join([*shown, value[start:]])

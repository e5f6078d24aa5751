"""Addresses of email, read by the grammar of RFC 5322: each entry is one address, or is refused with its place."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from email.errors import HeaderParseError
from email.headerregistry import Address, AddressHeader, HeaderRegistry

from graph_compiler.values.errors import NodeError
from graph_compiler.values.texts import quoted

_LONGEST = 80
_HEADERS = HeaderRegistry()


def addresses(entries: Sequence[str], field: str) -> list[Address]:
    """The addresses of a field of the config, in their order. Raises `NodeError` email_bad_message naming the first
    entry that is none.
    """
    return [_address(entry, field if len(entries) == 1 else f"{field}/{index}") for index, entry in enumerate(entries)]


def _address(entry: str, place: str) -> Address:
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in entry):
        raise _bad(entry, place, "it has a line end or another control character")
    try:
        header = _HEADERS("To", entry)
        assert isinstance(header, AddressHeader)
        found = header.addresses
        if len(found) != 1 or any(group.display_name is not None for group in header.groups):
            raise _bad(
                entry, place, 'one address is wanted; a name with a comma is quoted, as in "Doe, Jane" <jane@x.org>'
            )
        [address] = found
        if header.defects or not address.username or not address.domain:
            raise _bad(entry, place, "it is not of the form jane@example.com or Jane Doe <jane@example.com>")
        domain = address.domain if address.domain.isascii() else address.domain.encode("idna").decode("ascii")
        return Address(address.display_name, address.username, domain)
    except (HeaderParseError, ValueError, IndexError, AttributeError):  # what the parser meets in bad text
        raise _bad(entry, place, "it cannot be read as an address") from None


def _bad(entry: str, place: str, why: str) -> NodeError:
    return NodeError("email_bad_message", f"{place}: {quoted(entry, _LONGEST)}: {why}", retryable=False)

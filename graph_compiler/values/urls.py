"""Queries of URLs: what is written stays as it is, byte for byte, and pairs are added after it or taken out of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote_plus


def with_query(url: str, pairs: Mapping[str, Any]) -> str:
    """The URL with the pairs after its own; a list repeats its name."""
    added = "&".join(f"{_written(name)}={_written(value)}" for name, value in _flat(pairs))
    if not added:
        return url
    rest, mark, fragment = url.partition("#")
    place, question, query = rest.partition("?")
    separator = "&" if query and not query.endswith("&") else ""
    return f"{place}?{query}{separator}{added}{mark}{fragment}" if question else f"{place}?{added}{mark}{fragment}"


def without_query(url: str, names: Collection[str]) -> str:
    """The URL without the pairs of these names."""
    rest, mark, fragment = url.partition("#")
    place, question, query = rest.partition("?")
    pairs = query.split("&")
    kept = [pair for pair in pairs if unquote_plus(pair.partition("=")[0]) not in names]
    if len(kept) == len(pairs):
        return url
    return place + (question + "&".join(kept) if kept else "") + mark + fragment


def shown(url: str) -> str:
    """The URL as errors name it: without its query, where credentials may be, and without a name and password."""
    rest = url.partition("#")[0].partition("?")[0]
    scheme, separator, place = rest.partition("://")
    host, slash, path = place.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"


def _flat(pairs: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in pairs.items():
        if isinstance(value, list | tuple):
            yield from ((name, item) for item in value)
        else:
            yield name, value


def _written(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return quote(str(value), safe="", errors="replace")

"""What the clients of s3 and gs are made with: the user's own options, and never what this process could lend them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from definitions.services.service_targets import ServiceRefused, pinned_address
from graph_compiler.values.errors import NodeError

FRESH: Mapping[str, Any] = {"use_listings_cache": False}
"""Another process may have written since a folder was last listed."""
GOOGLE_TOKENS = "https://oauth2.googleapis.com/token"
_KEYS = {
    "s3": frozenset({"key", "secret", "token", "endpoint_url", "region"}),
    "gs": frozenset({"token", "project", "endpoint_url"}),
}


def store_options(reference: str, connection: str | None, *, allow_private: bool) -> dict[str, Any]:
    """Options of fsspec's client for the store of a URL; `connection` is the secret's JSON, None for public data.

    Raises `NodeError` file_refused.
    """
    scheme = reference.partition("://")[0]
    if connection is None:
        return {**FRESH, **({"token": "anon"} if scheme == "gs" else {"anon": True})}
    given = _read(connection, _KEYS.get(scheme, frozenset()))
    if given.get("endpoint_url"):
        _check(given["endpoint_url"], allow_private)
    return {**FRESH, **(_google(given) if scheme == "gs" else _amazon(given))}


def _read(connection: str, known: frozenset[str]) -> dict[str, Any]:
    try:
        given = json.loads(connection)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise _refused("is not a JSON object of options")
    unknown = sorted(given.keys() - known)
    if unknown:
        raise _refused(f"has the option {unknown[0][:40]!r}; known are {', '.join(sorted(known))}")
    return given


def _amazon(given: dict[str, Any]) -> dict[str, Any]:
    region = given.pop("region", None)
    if not all(isinstance(given.get(name), str) and given[name] for name in ("key", "secret")):
        raise _refused("needs `key` and `secret`")  # without them the client would take this process's own
    return given | ({"client_kwargs": {"region_name": region}} if region else {})


def _google(given: dict[str, Any]) -> dict[str, Any]:
    token = given.get("token")
    if not isinstance(token, dict) or token.get("type") != "service_account" or token.get("token_uri") != GOOGLE_TOKENS:
        raise _refused("needs `token`, the JSON key of a service account")  # other tokens read files of this machine
    return given


def _check(url: Any, allow_private: bool) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except (ValueError, AttributeError):
        usable = False
    if not usable:
        raise _refused("has an endpoint_url that is no http or https address")
    try:
        pinned_address(parts.hostname or "", parts.port or 443, allow_private=allow_private)
    except ServiceRefused:
        raise _refused("leads to a private address; those are not allowed here") from None
    except OSError:
        raise NodeError("file_unavailable", "the store's host has no address") from None


def _refused(said: str) -> NodeError:
    return NodeError("file_refused", f"the connection's secret {said}", retryable=False)

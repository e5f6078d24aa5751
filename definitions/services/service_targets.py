"""The address that a named service is reached at: resolved once, checked, and then connected to as it is."""

from __future__ import annotations

from definitions.services.http_network import is_public, resolve


class ServiceRefused(Exception):
    """The service's addresses are private, and private ones are not allowed."""


def pinned_address(host: str, port: int, *, allow_private: bool) -> str:
    """The first address of a host that may be reached. Raises `ServiceRefused`, and OSError if there is none."""
    addresses = resolve(host, port)
    allowed = [address for address in addresses if allow_private or is_public(address)]
    if not allowed:
        raise ServiceRefused(host)
    return allowed[0]

"""The address that a named service is reached at: resolved once, checked, and then connected to as it is."""

from __future__ import annotations

from definitions.services.http_network import resolve
from definitions.shared.public_addresses import is_public

HTTP_SETTING = "HEADRACE_HTTP_ALLOW_PRIVATE"
SERVICES_SETTING = "HEADRACE_SERVICES_ALLOW_PRIVATE"


class ServiceRefused(Exception):
    """The service's addresses are private, and private ones are not allowed."""


def refusal(what: str, setting: str = SERVICES_SETTING) -> str:
    """The message for a target that is not public, with what the operator can do."""
    return f"{what} is not public, and private addresses are not allowed; the setting {setting}=true allows them"


def pinned_address(host: str, port: int, *, allow_private: bool) -> str:
    """The first address of a host that may be reached. Raises `ServiceRefused`, and OSError if there is none."""
    addresses = resolve(host, port)
    allowed = [address for address in addresses if allow_private or is_public(address)]
    if not allowed:
        raise ServiceRefused(host)
    return allowed[0]

"""Failed logins of a user name and from a network, counted so that passwords cannot be guessed by trying."""

from __future__ import annotations

import ipaddress
import math

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from platform_core.database.rates import give_back, take
from platform_core.database.tables import login_rates
from platform_core.errors import TooManyRequests
from platform_core.settings import Settings

PERIOD = 300.0
"""Seconds in which the settings' numbers of logins may fail."""
_IPV6_PREFIX = 64

# What is past its time says nothing any more. Others may hold a row, or remove it, too.
_FORGET = sa.text(
    """
    DELETE FROM headrace.login_rates WHERE subject IN (
        SELECT subject FROM headrace.login_rates WHERE free_at < clock_timestamp() LIMIT 100 FOR UPDATE SKIP LOCKED
    )
    """
)


def demand_login(connection: Connection, settings: Settings, name: str, address: str | None) -> None:
    """Count an attempt as failed before its password is looked at, so that attempts at the same time count too.

    `forgive_login` takes it back. Raises `TooManyRequests`, also for a password that would be right.
    """
    connection.execute(_FORGET)
    for subject, most in _subjects(settings, name, address):
        wait = take(connection, login_rates, subject, most, PERIOD)
        if wait:
            detail = "Too many logins have failed; try again later."
            raise TooManyRequests(detail, retry_after=math.ceil(wait))


def forgive_login(connection: Connection, settings: Settings, name: str, address: str | None) -> None:
    """Take the attempt out of the count: it did not fail."""
    for subject, most in _subjects(settings, name, address):
        give_back(connection, login_rates, subject, most, PERIOD)


def _subjects(settings: Settings, name: str, address: str | None) -> list[tuple[str, int]]:
    network = _network(address)
    user = (f"user {name.replace(chr(0), '')}", settings.failed_logins_per_user)
    return [*([] if network is None else [(f"network {network}", settings.failed_logins_per_network)]), user]


def _network(address: str | None) -> str | None:
    """Who is counted as one: an IPv4 address, or the /64 that one IPv6 host has; None if there is no IP address."""
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is None:
            return str(ipaddress.ip_network((found, _IPV6_PREFIX), strict=False))
        found = found.ipv4_mapped
    return str(found)

"""Secrets of a trial installation are random and fit each other."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from headrace_cli.serve.cluster_secrets import RUN_KEYS, fresh


def test_values_are_random_and_the_address_has_the_password() -> None:
    first, second = fresh("ns"), fresh("ns")
    assert all(first[key] != second[key] for key in first)
    address = urlsplit(first["HEADRACE_DATABASE_URL"])
    assert address.password is not None
    assert unquote(address.password) == first["POSTGRES_PASSWORD"]
    assert (address.hostname, address.path) == ("headrace-postgres.ns.svc", "/headrace")
    assert len(first["HEADRACE_SECRET_KEY"]) == 64
    assert set(RUN_KEYS) < set(first)

"""What the clients of s3 and gs get: the user's own keys, or none, and never the process's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from definitions.services.store_options import GOOGLE_TOKENS, store_options
from graph_compiler.values.errors import NodeError

KEYS = {"key": "k", "secret": "s"}
ACCOUNT = {"type": "service_account", "token_uri": GOOGLE_TOKENS}


def options(url: str, given: Any, *, allow_private: bool = False) -> dict[str, Any]:
    return store_options(url, json.dumps(given), allow_private=allow_private)


def test_without_a_connection_nobody_is_logged_in() -> None:
    assert store_options("s3://b", None, allow_private=False) == {"anon": True, "use_listings_cache": False}
    assert store_options("gs://b", None, allow_private=False) == {"token": "anon", "use_listings_cache": False}


def test_own_keys_are_passed_on() -> None:
    assert options("s3://b", KEYS | {"region": "eu-west-1"}) == {
        **KEYS,
        "client_kwargs": {"region_name": "eu-west-1"},
        "use_listings_cache": False,
    }
    assert options("gs://b", {"token": ACCOUNT}) == {"token": ACCOUNT, "use_listings_cache": False}


@pytest.mark.parametrize(
    ("url", "given", "said"),
    [
        ("s3://b", [], "is not a JSON object"),
        ("s3://b", {}, "needs `key` and `secret`"),
        ("s3://b", {"key": "", "secret": ""}, "needs `key` and `secret`"),
        ("s3://b", KEYS | {"profile": "admin"}, "has the option 'profile'"),
        ("s3://b", {"anon": False}, "has the option 'anon'"),
        ("s3://b", KEYS | {"endpoint_url": "http://127.0.0.1:9000"}, "leads to a private address"),
        ("s3://b", KEYS | {"endpoint_url": "http://169.254.169.254"}, "leads to a private address"),
        ("s3://b", KEYS | {"endpoint_url": "file:///etc"}, "no http or https address"),
        ("s3://b", KEYS | {"endpoint_url": 5}, "no http or https address"),
        ("gs://b", {}, "needs `token`"),
        ("gs://b", {"token": "google_default"}, "needs `token`"),
        ("gs://b", {"token": "/etc/key.json"}, "needs `token`"),
        ("gs://b", {"token": ACCOUNT | {"type": "external_account"}}, "needs `token`"),
        ("gs://b", {"token": ACCOUNT | {"token_uri": "http://127.0.0.1/"}}, "needs `token`"),
    ],
)
def test_what_would_lend_the_process_own_rights_is_refused(url: str, given: Any, said: str) -> None:
    with pytest.raises(NodeError) as raised:
        options(url, given)
    assert raised.value.kind == "file_refused"
    assert said in raised.value.message


def test_private_endpoint_is_allowed_where_the_installation_says_so() -> None:
    given = KEYS | {"endpoint_url": "http://127.0.0.1:9000"}
    assert options("s3://b", given, allow_private=True)["endpoint_url"] == "http://127.0.0.1:9000"

"""Others can check our tokens by the published keys alone."""

from __future__ import annotations

import httpx
import jwt

from tests.integration.trigger_api.conftest import API, PASSWORD


def test_a_token_holds_by_the_published_keys(anonymous: httpx.Client, ada: httpx.Client) -> None:
    made = anonymous.post(f"{API}/auth/token", data={"username": "ada", "password": PASSWORD}).json()
    answer = anonymous.get(f"{API}/auth/jwks")
    assert answer.headers["cache-control"] == "public, max-age=300"
    kid = jwt.get_unverified_header(made["access_token"])["kid"]
    key = jwt.PyJWKSet.from_dict(answer.json())[kid]
    claims = jwt.decode(made["access_token"], key, algorithms=["EdDSA"], issuer="headrace", audience="headrace/api")
    assert claims["sub"] == ada.get(f"{API}/auth/me").json()["id"]


def test_no_private_part_is_published(anonymous: httpx.Client, ada: httpx.Client) -> None:
    (key,) = anonymous.get(f"{API}/auth/jwks").json()["keys"]
    assert set(key) == {"kty", "crv", "use", "alg", "kid", "x"}

"""What every answer of the stream application says to browsers, streams and refusals included."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy.engine import Engine
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from platform_core.identity.keys import KeyRing
from platform_core.settings import Settings
from platform_core.web.security_headers import DEFAULTS
from platform_core.web.server import edge_options
from platform_core.web.tls import ServerTls
from stream_api.app import create_app
from tests.certificates import make_certificate
from tests.serving import served

EXPECTED = {*DEFAULTS, "X-Content-Type-Options", "Strict-Transport-Security"}


@pytest.fixture
def trusting(tmp_path: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=make_certificate(tmp_path).cert)


@pytest.fixture
def address(
    settings: Settings, engine: Engine, keys: KeyRing, tmp_path: Path, trusting: ssl.SSLContext
) -> Iterator[str]:
    tls = ServerTls(tmp_path / "tls.crt", tmp_path / "tls.key")
    app = create_app(settings, engine=engine, keys=keys)
    with served(app, ws="websockets-sansio", **edge_options(settings, tls)) as address:
        yield address


def test_streams_pages_and_refusals_say_what_a_browser_may_do(
    address: str, trusting: ssl.SSLContext, run_id: str, token: str
) -> None:
    bearer = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=address, verify=trusting) as client:
        with client.stream("GET", f"/api/v1/runs/{run_id}/events", headers=bearer) as stream:
            found = {"stream": (stream.status_code, stream.headers)}
        for path in (f"/api/v1/runs/{run_id}/events", "/nowhere", f"/watch/{run_id}", "/healthz"):
            answer = client.get(path)
            found[path] = (answer.status_code, answer.headers)
    assert [status for status, _ in found.values()] == [200, 401, 404, 200, 200]
    for name, (_, headers) in found.items():
        assert {each for each in EXPECTED if each not in headers} == set(), name


def test_sockets_say_it_too_accepted_and_refused(
    address: str, trusting: ssl.SSLContext, run_id: str, token: str
) -> None:
    place = f"wss{address.removeprefix('https')}/api/v1/runs/{run_id}"
    with pytest.raises(InvalidStatus) as refused:
        connect(f"{place}/nowhere", ssl=trusting, proxy=None)
    assert refused.value.response.status_code == 403
    bearer = {"Authorization": f"Bearer {token}"}
    with connect(f"{place}/ws", ssl=trusting, proxy=None, additional_headers=bearer) as accepted:
        assert accepted.response is not None
        for headers in (refused.value.response.headers, accepted.response.headers):
            assert {each for each in EXPECTED if each not in headers} == set()
        assert accepted.recv()

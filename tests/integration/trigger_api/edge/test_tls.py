"""TLS of an application: its certificate is followed, and what cannot be used changes nothing."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from platform_core.errors import BadConfiguration
from platform_core.settings import Settings
from platform_core.web.server import edge_options
from platform_core.web.tls import ServerTls, tls_of
from tests.certificates import Certificate, make_certificate
from tests.integration.trigger_api.conftest import API
from tests.serving import served


@pytest.fixture
def files(tmp_path: Path) -> Certificate:
    return make_certificate(tmp_path)


@pytest.fixture
def tls(files: Certificate) -> ServerTls:
    return ServerTls(files.cert, files.key)


@pytest.fixture
def address(app: FastAPI, settings: Settings, tls: ServerTls) -> Iterator[str]:
    with served(app, **edge_options(settings, tls)) as address:
        yield address


@contextmanager
def connected(address: str) -> Iterator[ssl.SSLSocket]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    port = int(address.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), 10) as plain, context.wrap_socket(plain) as encrypted:
        yield encrypted


def served_certificate(address: str) -> bytes:
    with connected(address) as connection:
        return connection.getpeercert(binary_form=True) or b""


def of_file(files: Certificate) -> bytes:
    return ssl.PEM_cert_to_DER_cert(files.cert.read_text())


def test_the_certificate_is_served_and_every_answer_asks_for_tls(address: str, files: Certificate) -> None:
    assert address.startswith("https://")
    trusting = ssl.create_default_context(cafile=files.cert)
    with httpx.Client(base_url=address, verify=trusting) as client:
        answers = {path: client.get(path) for path in ("/healthz", f"{API}/graphs", "/nowhere", "/hooks/none")}
        assert [answer.status_code for answer in answers.values()] == [200, 401, 404, 404]
        for path, answer in answers.items():
            assert answer.headers["strict-transport-security"] == "max-age=31536000", path
            assert answer.headers["x-content-type-options"] == "nosniff", path


def test_a_renewed_certificate_is_served_and_open_connections_go_on(
    address: str, files: Certificate, tls: ServerTls, tmp_path: Path
) -> None:
    first = of_file(files)
    with connected(address) as old:
        assert not tls.refresh()
        assert make_certificate(tmp_path) == files
        assert of_file(files) != first
        assert served_certificate(address) == first
        assert tls.refresh()
        assert served_certificate(address) == of_file(files)
        assert not tls.refresh()
        old.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert old.recv(100).startswith(b"HTTP/1.1 200")


def test_files_that_do_not_fit_change_nothing_until_they_do(
    address: str, files: Certificate, tls: ServerTls, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, other = of_file(files), make_certificate(tmp_path, "other")
    files.cert.write_bytes(other.cert.read_bytes())
    assert not tls.refresh()
    assert served_certificate(address) == first
    assert "The certificate stays the one before" in caplog.text
    files.key.unlink()
    assert not tls.refresh()
    files.key.write_bytes(other.key.read_bytes())
    assert tls.refresh()
    assert served_certificate(address) == of_file(other)


def test_nothing_older_than_tls_1_2_is_spoken(tls: ServerTls) -> None:
    assert tls.context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_what_cannot_be_used_is_refused_at_start(files: Certificate, tmp_path: Path, settings: Settings) -> None:
    other = make_certificate(tmp_path, "other")
    (tmp_path / "empty").touch()
    for cert, key in ((files.cert, other.key), (tmp_path / "empty", files.key), (files.cert, tmp_path / "none")):
        with pytest.raises(BadConfiguration, match=rf"{tmp_path}.* (cannot be used|cannot be read): "):
            ServerTls(cert, key)
    for half in ("tls_cert", "tls_key"):
        with pytest.raises(BadConfiguration, match="HEADRACE_TLS_CERT and HEADRACE_TLS_KEY"):
            tls_of(settings.model_copy(update={half: files.cert}))
    assert tls_of(settings) is None


def test_a_key_with_a_password_is_refused_and_nobody_is_asked(files: Certificate) -> None:
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    encryption = serialization.BestAvailableEncryption(b"sesame")
    pem = serialization.Encoding.PEM
    files.key.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, encryption))
    with pytest.raises(BadConfiguration, match="the key has a password"):
        ServerTls(files.cert, files.key)

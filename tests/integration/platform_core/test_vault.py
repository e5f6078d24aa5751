"""Secrets read through from a real OpenBao, whose HTTP API is Vault's."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import jwt
import pytest

from platform_core.errors import SecretSourceAway
from platform_core.secret_sources.vault import (
    AWAY_SECONDS,
    KEPT_SECONDS,
    FixedToken,
    KubernetesLogin,
    VaultPlace,
    VaultSecrets,
)
from tests.certificates import make_certificate
from tests.integration.nodes.brokers import free_port, program, serving
from tests.waiting import wait_until

ROOT = "root-of-the-mill"


class Clock:
    """A clock that is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("bao"), free_port()
    command = [program("bao"), "server", "-dev", f"-dev-root-token-id={ROOT}"]
    # The home, where a development server leaves its token, is the test's.
    env = {"HOME": str(folder), "BAO_ADDR": f"http://127.0.0.1:{port}"}
    with serving([*command, f"-dev-listen-address=127.0.0.1:{port}"], port, folder, env):
        address = f"http://127.0.0.1:{port}"
        probe = f"{address}/v1/secret/data/headrace/ready"
        with httpx.Client(headers={"X-Vault-Token": ROOT}) as client:
            wait_until(lambda: client.post(probe, json={"data": {}}).is_success, "the store has its second version")
        yield address


@pytest.fixture
def admin(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{url}/v1/", headers={"X-Vault-Token": ROOT}) as client:
        yield client


def put(admin: httpx.Client, path: str, **data: object) -> None:
    admin.post(f"secret/data/headrace/{path}", json={"data": data}).raise_for_status()


def vault(url: str, token: str = ROOT, clock: Clock | None = None) -> VaultSecrets:
    return VaultSecrets(VaultPlace(url, "secret", "headrace"), FixedToken(token), clock or Clock())


def test_an_owner_reads_and_lists_what_is_below_their_name(url: str, admin: httpx.Client) -> None:
    put(admin, "ada/oak", value="of ada")
    put(admin, "ada/sub/elm", value="deeper")
    put(admin, "ada/No-Name", value="cannot be named")
    put(admin, "bob/elm", value="of bob")
    source = vault(url)
    assert source.read("ada", "oak") == "of ada"
    assert (source.read("ada", "elm"), source.read("bob", "oak"), source.read("eve", "oak")) == (None, None, None)
    assert (list(source.names("ada")), list(source.names("eve"))) == (["oak"], [])


def test_a_value_is_used_for_a_while_and_then_read_again(url: str, admin: httpx.Client) -> None:
    clock = Clock()
    source = vault(url, clock=clock)
    put(admin, "ada/ash", value="first")
    assert source.read("ada", "ash") == "first"
    put(admin, "ada/ash", value="second")
    assert source.read("ada", "ash") == "first"
    clock.now = KEPT_SECONDS
    assert source.read("ada", "ash") == "second"
    admin.delete("secret/data/headrace/ada/ash").raise_for_status()
    clock.now *= 2
    assert source.read("ada", "ash") is None


@pytest.mark.parametrize("data", [{"password": "x"}, {"value": 7}])
def test_a_secret_without_text_in_value_is_said_to_be_none(
    url: str, admin: httpx.Client, data: dict[str, object]
) -> None:
    put(admin, "ada/bad", **data)
    with pytest.raises(SecretSourceAway, match="no text in the field `value`"):
        vault(url).read("ada", "bad")


def test_a_refused_token_and_nobody_at_the_address_are_reported(url: str) -> None:
    with pytest.raises(SecretSourceAway, match="Vault answers 403"):
        vault(url, "other").read("ada", "oak")
    with pytest.raises(SecretSourceAway, match="Vault cannot be asked: ConnectError"):
        vault(f"http://127.0.0.1:{free_port()}").read("ada", "oak")


def test_nobody_waits_for_it_again_right_after_it_gave_no_answer(url: str, admin: httpx.Client) -> None:
    put(admin, "ada/oak", value="of ada")
    clock, port = Clock(), free_port()
    source = vault(f"http://127.0.0.1:{port}", clock=clock)
    with pytest.raises(SecretSourceAway, match="ConnectError"):
        source.read("ada", "oak")
    with ThreadingHTTPServer(("127.0.0.1", port), Redirect) as server:
        Redirect.asked = 0
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        for now, asked in ((0.0, 0), (AWAY_SECONDS - 1, 0), (AWAY_SECONDS, 1)):
            clock.now = now
            with pytest.raises(SecretSourceAway):
                source.read("ada", "oak")
            assert Redirect.asked == asked
        server.shutdown()
        thread.join()


class Redirect(BaseHTTPRequestHandler):
    """Leads elsewhere, where a token must not go."""

    asked = 0

    def do_GET(self) -> None:
        Redirect.asked += 1
        self.send_response(307)
        self.send_header("location", "http://127.0.0.1:9/")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing to the console."""


class TokenReview(BaseHTTPRequestHandler):
    """The one request that OpenBao makes of a cluster: whose token is this (authentication.k8s.io/v1)."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        user = {"username": "system:serviceaccount:headrace:headrace-run", "uid": "u-1"}
        status = {"authenticated": True, "user": user} if asked["spec"]["token"] else {"authenticated": False}
        body = json.dumps({**asked, "status": status}).encode()
        self.send_response(201)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing to the console."""


@pytest.fixture
def cluster() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), TokenReview) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_pod_logs_in_as_its_service_account_and_again_when_its_token_has_ended(
    url: str, admin: httpx.Client, cluster: str, tmp_path: Path
) -> None:
    put(admin, "ada/oak", value="of ada")
    policy = 'path "secret/data/headrace/*" { capabilities = ["read"] }'
    admin.put("sys/policies/acl/headrace", json={"policy": policy}).raise_for_status()
    admin.post("sys/auth/kubernetes", json={"type": "kubernetes"}).raise_for_status()
    certificate = make_certificate(tmp_path)
    config = {
        "kubernetes_host": cluster,
        "kubernetes_ca_cert": certificate.cert.read_text(),
        "disable_local_ca_jwt": True,
        "token_reviewer_jwt": "reviewer",
    }
    admin.post("auth/kubernetes/config", json=config).raise_for_status()
    bound = {"bound_service_account_names": "headrace-run", "bound_service_account_namespaces": "headrace"}
    admin.post("auth/kubernetes/role/runs", json={**bound, "policies": "headrace"}).raise_for_status()
    account = {"namespace": "headrace", "serviceaccount": {"name": "headrace-run", "uid": "u-1"}}
    proof, now = tmp_path / "token", int(time.time())
    proof.write_text(
        jwt.encode(
            {"kubernetes.io": account, "iat": now, "nbf": now, "exp": now + 3600}, certificate.key.read_text(), "ES256"
        )
    )
    clock = Clock()
    source = VaultSecrets(VaultPlace(url, "secret", "headrace"), KubernetesLogin("runs", "kubernetes", proof), clock)
    assert source.read("ada", "oak") == "of ada"
    admin.post("sys/leases/revoke-prefix/auth/kubernetes/login").raise_for_status()
    clock.now = KEPT_SECONDS
    assert source.read("ada", "oak") == "of ada"
    with pytest.raises(SecretSourceAway, match="Vault refuses the login as other"):
        VaultSecrets(VaultPlace(url, "secret", "headrace"), KubernetesLogin("other", "kubernetes", proof), clock).read(
            "ada", "oak"
        )

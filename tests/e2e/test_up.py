"""`headrace up` from its start to its end, and to the ends it did not choose."""

from __future__ import annotations

import os
import signal
import ssl
import stat
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.certificates import make_certificate
from tests.e2e.documents import adder, sleeper
from tests.e2e.installation import Installation
from tests.waiting import wait_until

pytestmark = pytest.mark.xdist_group("installation")


@pytest.fixture
def fresh() -> Iterator[Installation]:
    """An installation that the test starts and ends itself."""
    with tempfile.TemporaryDirectory(prefix="headrace-e2e-") as folder:
        installation = Installation(Path(folder), uuid.uuid4().hex)
        yield installation
        if installation.process is not None and not installation.has_ended:
            installation.stop()


def test_ready_up_answers_at_every_address_it_printed(installation: Installation) -> None:
    record = installation.record
    assert f"ready {record['url']}" in installation.lines
    for url in (f"{record['url']}/readyz", f"{record['url']}/docs", f"{record['ui_url']}/server_info"):
        assert httpx.get(url, headers=installation.bearer, timeout=60).status_code == 200
    credentials = installation.home / "admin.json"
    assert any(str(credentials) in line for line in installation.lines)
    assert stat.S_IMODE(credentials.stat().st_mode) == 0o600


def test_link_that_open_prints_signs_a_browser_in_once(installation: Installation) -> None:
    link = httpx.URL(installation.succeed("open").strip())
    origin = str(link.copy_with(path="/", query=None)).rstrip("/")
    with httpx.Client(base_url=origin, headers={"Origin": origin}, trust_env=False) as browser:
        assert 'name="token"' in browser.get(link).text
        form = {"token": link.params["token"], "next": "/api/v1/auth/me"}
        assert browser.post("/signin", data=form, follow_redirects=True).json()["name"] == "admin"
        assert browser.post("/signin", data=form).status_code == 401


def test_up_speaks_tls_follows_the_certificate_and_its_commands_trust_that_one_only(fresh: Installation) -> None:
    files = make_certificate(fresh.home)
    fresh.start("--tls-cert", str(files.cert), "--tls-key", str(files.key))
    url = str(fresh.record["url"])
    assert url.startswith("https://")
    assert f"ready {url}" in fresh.lines
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"{url}/readyz")
    fresh.apply(adder())
    followed = fresh.run("run", "adder", "-p", "numbers=[1, 2]", "--follow")
    assert followed.returncode == 0, followed.stderr
    make_certificate(fresh.home)
    trusted = ssl.create_default_context(cafile=files.cert)

    def is_served() -> bool:
        try:
            return httpx.get(f"{url}/readyz", verify=trusted).is_success
        except httpx.ConnectError:
            return False

    wait_until(is_served, "the renewed certificate is served")
    assert "adder" in fresh.succeed("graphs")


def test_a_certificate_that_cannot_be_used_stops_up_at_once(fresh: Installation) -> None:
    files = make_certificate(fresh.home)
    for options in (["--tls-cert", str(files.cert)], ["--tls-cert", str(files.key), "--tls-key", str(files.key)]):
        refused = fresh.run("up", "--port", "0", *options)
        assert refused.returncode != 0
        assert "Give both --tls-cert and --tls-key, as PEM files." in refused.stderr


def test_dagsters_ui_and_its_code_server_start_with_the_first_request(fresh: Installation) -> None:
    fresh.start()
    assert {"api", "daemon", "workers"} <= fresh.record["pids"].keys()
    assert not {"ui", "code-server"} & fresh.record["pids"].keys()
    fresh.apply(sleeper())
    query = "{repositoriesOrError{... on RepositoryConnection{nodes{jobs{name}}}}}"
    (repository,) = fresh.ask_dagster(query)["repositoriesOrError"]["nodes"]
    assert "admin__sleeper" in [job["name"] for job in repository["jobs"]]
    assert {"ui", "code-server"} <= fresh.record["pids"].keys()


def test_a_ui_of_dagster_that_does_not_start_is_a_clear_answer_and_stops_nothing_else(fresh: Installation) -> None:
    fresh.start()
    workspace = fresh.home / "dagster" / "workspace.yaml"
    whole = workspace.read_text()
    workspace.write_text("load_from: [{nonsense: 1}]")
    url = f"{fresh.record['ui_url']}/server_info"
    refused = httpx.get(url, headers=fresh.bearer, timeout=120)
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert httpx.get(f"{fresh.record['url']}/readyz").status_code == 200
    workspace.write_text(whole)
    assert httpx.get(url, headers=fresh.bearer, timeout=120).status_code == 200


def test_second_up_names_the_holder(installation: Installation) -> None:
    second = installation.run("up", "--port", "0", "--ui-port", "0")
    assert second.returncode == 5
    assert second.stderr.startswith(f"error: {installation.home} is held by another `headrace up`, process ")
    assert f"process {installation.process.pid}." in second.stderr  # type: ignore[union-attr]  # it runs


def test_stopped_up_leaves_no_process_and_keeps_its_data(fresh: Installation) -> None:
    fresh.start()
    fresh.apply(sleeper())
    fresh.launch("sleeper", seconds=600)
    assert fresh.stop(signal.SIGTERM) == 0
    assert fresh.processes() == []
    assert not (fresh.home / "up.json").exists()
    fresh.start()
    assert "sleeper" in fresh.succeed("graphs")


def test_killed_up_leaves_no_process_and_the_next_one_starts(fresh: Installation) -> None:
    fresh.start()
    fresh.apply(sleeper())
    fresh.launch("sleeper", seconds=600)
    fresh.stop(signal.SIGKILL)
    wait_until(lambda: not fresh.processes(), "no process is left", 30)
    fresh.start()
    assert "sleeper" in fresh.succeed("graphs")


def test_taken_port_is_a_clear_refusal(installation: Installation, fresh: Installation) -> None:
    port = installation.record["url"].rpartition(":")[2]
    refused = fresh.run("up", "--port", port, "--ui-port", "0")
    assert refused.returncode == 8
    assert refused.stderr == (
        f"error: Cannot listen on 127.0.0.1:{port}: the port is in use.\n"
        "hint: Choose another with --port; --port 0 takes a free one.\n"
    )
    assert os.listdir(fresh.home) == ["up.lock"]

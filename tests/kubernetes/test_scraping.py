"""A real Prometheus scrapes the running stack and finds every series that dashboards and alerts name."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.kubernetes import graphs
from tests.kubernetes.installation import SERVICES, Installation, objects
from tests.unit.deploy.test_monitoring import MONITORING, SERIES, expressions
from tests.waiting import wait_until

pytestmark = pytest.mark.kubernetes
_PREFIX = "prometheus.io/"


def targets() -> list[str]:
    """Where the pods' annotations say that they serve metrics; what kubernetes-scrape.yaml finds by discovery."""
    found = []
    for pod in objects("pods", SERVICES):
        said = pod["metadata"].get("annotations", {})
        if said.get(f"{_PREFIX}scrape") == "true" and pod["status"].get("phase") == "Running":
            assert said[f"{_PREFIX}path"] == "/metrics"
            found.append(f"{pod['status']['podIP']}:{said[f'{_PREFIX}port']}")
    return found


def test_prometheus_finds_every_series_that_is_named(installation: Installation, tmp_path: Path) -> None:
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus (Debian's package) is not installed")
    installation.save(graphs.quick())
    run_id = installation.run("quick")
    assert installation.events(run_id)[-1]["final"] is True
    # A call of no webhook is counted, too.
    assert httpx.post(f"{installation.trigger}/hooks/none", content=b"{}", timeout=60).status_code == 404
    content: dict[str, Any] = yaml.safe_load((MONITORING / "prometheus.yaml").read_text())
    content["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    content["scrape_configs"][0]["static_configs"] = [{"targets": targets()}]
    shutil.copy(MONITORING / "rules.yaml", tmp_path)
    (tmp_path / "prometheus.yaml").write_text(yaml.safe_dump(content))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    options = [f"--config.file={tmp_path / 'prometheus.yaml'}", f"--storage.tsdb.path={tmp_path / 'data'}"]
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen([program, *options, f"--web.listen-address={address}"], stderr=log) as server,
        httpx.Client(base_url=f"http://{address}/api/v1", timeout=30) as client,
    ):
        try:
            named = {name for _, expression in expressions() for name in SERIES.findall(expression)}
            wait_until(lambda: not missing(client, named), f"Prometheus has all of {sorted(named)}", 60)
        except AssertionError as error:
            raise AssertionError(f"Prometheus does not have {sorted(missing(client, named))}") from error
        finally:
            server.terminate()


def missing(client: httpx.Client, named: set[str]) -> set[str]:
    try:
        answer = client.get("label/__name__/values")
    except httpx.TransportError:
        return named
    # Until it has read its own files it answers 503.
    return named - set(answer.json()["data"]) if answer.is_success else named

"""A node type of a package that is really installed, in every process: the API, the worker, Dagster's code server."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import installed
from tests.e2e.installation import Installation
from tests.integration.nodes.test_extensions import install
from tests.waiting import wait_until

SHOUT = {
    "spec_version": 1,
    "name": "shout",
    "params": {"properties": {"t": {"type": "string"}}},
    "nodes": [{"id": "a", "type": "acme.shout", "config": {"text": "{{ params.t }}"}}],
    "outputs": {"said": "{{ nodes.a.text }}"},
}
JOBS = "{repositoriesOrError{...on RepositoryConnection{nodes{jobs{name solids{name definition{name}}}}}}}"


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    with tempfile.TemporaryDirectory(prefix="headrace-acme-") as folder:
        install(Path(folder), "acme_shout:Shout")
        with installed({"PYTHONPATH": folder}) as installation:
            yield installation


def test_apis_know_the_type(installation: Installation) -> None:
    types = {kind["name"]: kind for kind in installation.get("node-types")["items"]}
    assert types["acme.shout"]["summary"] == "Shout."
    assert "acme.shout" in str(installation.get("schema"))
    wrong = {**SHOUT, "nodes": [{"id": "a", "type": "acme.shout", "config": {"txt": "x"}}]}
    path = installation.home / "wrong.json"
    path.write_text(json.dumps(wrong))
    assert "the key `text` is missing" in installation.run("validate", str(path)).stdout


def test_worker_executes_it_and_dagster_shows_it(installation: Installation) -> None:
    installation.apply(SHOUT)
    assert installation.succeed("run", "shout", "-p", "t=hey", "--wait", "60") == '{"said": "HEY"}\n'

    def shown() -> bool:
        nodes = installation.ask_dagster(JOBS)["repositoriesOrError"]["nodes"]
        jobs = [job for node in nodes for job in node["jobs"]]
        return any(
            op["name"] == "a" and op["definition"]["name"].startswith("acme_shout__")
            for job in jobs
            if job["name"].endswith("__shout")
            for op in job["solids"]
        )

    wait_until(shown, "Dagster's UI shows the node of the type", 60)

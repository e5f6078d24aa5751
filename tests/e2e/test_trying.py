"""One node of a saved graph, tried on the running installation."""

from __future__ import annotations

import json

import pytest

from tests.e2e.documents import adder
from tests.e2e.installation import Installation

pytestmark = [pytest.mark.usefixtures("installation"), pytest.mark.xdist_group("installation")]


def test_a_node_answers_sample_inputs_and_shows_its_lines(installation: Installation) -> None:
    installation.apply(adder())
    done = installation.run("try", "adder", "total", "-p", "numbers=[1, 2]")
    assert (done.returncode, json.loads(done.stdout.splitlines()[-1])) == (0, {"result": 3})
    assert "adding 2" in done.stdout
    (installation.home / "pinned.yaml").write_text("numbers: [5, x]\n")
    failed = installation.run("try", "adder", "total", "--pin", str(installation.home / "pinned.yaml"), "--json")
    *events, run = [json.loads(line) for line in failed.stdout.splitlines()]
    assert (failed.returncode, run["error"]["kind"], run["error"]["node"]) == (1, "code_error", "total")
    assert [event["message"] for event in events if event["type"] == "stdout"] == ["adding 2"]
    refused = installation.run("try", "adder", "answer")
    assert refused.returncode == 4
    assert "/node/config/value" in refused.stderr

"""Commands about the queue against the real application: batches, places, limits of users, metrics."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.engine import Engine
from typer.testing import CliRunner, Result

from headrace_cli.main import app as commands
from tests.integration.trigger_api.conftest import API, document, end_run


class Shell:
    """The command line as one user."""

    def __init__(self, address: str, client: httpx.Client) -> None:
        token = client.headers["Authorization"].removeprefix("Bearer ")
        self._environment = {"HEADRACE_URL": address, "HEADRACE_TOKEN": token}

    def run(self, *arguments: str, stdin: str = "") -> Result:
        return CliRunner().invoke(commands, arguments, input=stdin, env=self._environment)


@pytest.fixture
def shell(address: str, ada: httpx.Client) -> Shell:
    ada.post(f"{API}/graphs", json=document())
    return Shell(address, ada)


def test_a_batch_from_stdin_waits_in_its_order(shell: Shell, engine: Engine) -> None:
    result = shell.run(
        "run", "mill", "--batch", "-", "-p", "wheel=elm", stdin='{"water": 1}\n{"water": "x"}\n{"water": 3}'
    )
    assert result.exit_code == 4
    first, second = result.stdout.split()
    assert "-:2: /params/water: bad_param: " in result.stderr
    assert "2 started, 1 refused" in result.stderr
    lines = shell.run("runs").stdout.splitlines()
    assert lines[0].split() == ["RUN", "GRAPH", "VERSION", "STATUS", "PLACE", "TRIGGER", "CREATED"]
    assert [line.split()[:5] for line in lines[1:]] == [
        [second, "mill", "1", "QUEUED", "2"],
        [first, "mill", "1", "QUEUED", "1"],
    ]
    shown = shell.run("show", second).stdout
    assert "QUEUED, number 2 in the queue" in shown
    assert '{"wheel": "elm", "water": 3}' in shown
    end_run(engine, first, "FAILURE", error={"message": "no water"})
    assert "error    no water" in shell.run("show", first).stdout
    assert json.loads(shell.run("show", second, "--json").stdout)["position"] == 1


def test_a_batch_excludes_following_and_repeats_by_its_key(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text('[{"water": 1}, {"water": 2}]')
    for more in ("--follow", "--wait=1"):
        assert shell.run("run", "mill", "--batch", str(path), more).exit_code != 0
    answers = [
        json.loads(shell.run("run", "mill", "--batch", str(path), "--idempotency-key", "k", "--json").stdout)
        for _ in range(2)
    ]
    assert [(answer["accepted"], answer["repeated"]) for answer in answers] == [(2, 0), (0, 2)]
    assert answers[0]["runs"] == answers[1]["runs"]


def test_an_administrator_limits_a_user(ada: httpx.Client, admin: httpx.Client, address: str) -> None:
    root = Shell(address, admin)
    assert "ada (editor, active), at most 3 runs at once" in root.run("user", "change", "ada", "--max-runs", "3").stderr
    assert [line.split() for line in root.run("user", "list").stdout.splitlines()[1:]] == [
        ["ada", "editor", "active", "3"],
        ["root", "admin", "active"],
    ]
    changed = json.loads(root.run("user", "change", "ada", "--max-runs", "none", "--disable", "--json").stdout)
    assert (changed["max_concurrent_runs"], changed["disabled"]) == (None, True)
    for arguments in (("ada",), ("ada", "--max-runs", "many"), ("root", "--disable"), ("nobody", "--enable")):
        assert root.run("user", "change", *arguments).exit_code != 0


def test_metrics_tell_how_full_the_queue_is(shell: Shell, anonymous: httpx.Client) -> None:
    shell.run("run", "mill", "-p", "water=1")
    families = text_string_to_metric_families(anonymous.get("/metrics").text)
    values = {family.name: family.samples[0].value for family in families if family.name.startswith("headrace_queue_")}
    oldest = values.pop("headrace_queue_oldest_seconds")
    assert values == {"headrace_queue_waiting_runs": 1, "headrace_queue_executed_runs": 0}
    assert oldest > 0

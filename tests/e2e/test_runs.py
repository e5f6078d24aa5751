"""From a document to its outputs, by the command line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.documents import adder, fragile, mending, sleeper
from tests.e2e.installation import Installation
from tests.waiting import wait_until

pytestmark = [pytest.mark.usefixtures("installation"), pytest.mark.xdist_group("installation")]


def test_applied_graph_runs_and_its_outputs_are_printed(installation: Installation) -> None:
    installation.apply(adder())
    done = installation.run("run", "adder", "-p", "numbers=[1, 2, 3.5]", "--wait", "60")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"answer": {"total": 6.5}, "version": 1})


def test_followed_run_shows_every_event_from_queued_to_its_end(installation: Installation) -> None:
    installation.apply(adder())
    output = installation.succeed("run", "adder", "-p", "numbers=[1]", "--follow", "--json")
    *events, run = [json.loads(line) for line in output.splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    of_run = [event["type"] for event in events if event["node"] is None]
    assert (of_run[0], of_run[-1]) == ("run.queued", "run.succeeded")
    assert (events[-1]["final"], events[-1]["count"]) == (True, len(events))
    assert [e["message"] for e in events if e["type"] == "stdout"] == ["adding 1"]
    started = [event["node"] for event in events if event["type"] == "node.started"]
    assert [node for node in started if node in {"numbers", "total", "answer"}] == ["numbers", "total", "answer"]
    assert (run["status"], run["outputs"]) == ("SUCCESS", {"answer": {"total": 1}, "version": 1})


def test_applying_again_changes_nothing_and_new_content_is_a_new_version(installation: Installation) -> None:
    path = installation.home / "again.json"
    outcomes = []
    for document in (adder(), adder(), adder(2), adder()):
        path.write_text(json.dumps({**document, "name": "again"}))
        outcomes.append(installation.succeed("apply", str(path)).strip())
    assert outcomes == [
        "again created (version 1)",
        "again unchanged (version 1)",
        "again changed (version 2)",
        "again changed (version 1)",
    ]


def test_issues_of_an_applied_document_are_printed_with_their_places(installation: Installation) -> None:
    path = installation.home / "bad.yaml"
    path.write_text("spec_version: 1\nname: bad\nnodes:\n  - {id: a, type: nonsense, config: {}}\n")
    done = installation.run("apply", str(path))
    assert done.returncode == 1
    assert done.stdout.startswith(f"{path}:4:")


def test_params_that_do_not_fit_are_refused_with_their_issues(installation: Installation) -> None:
    installation.apply(adder())
    done = installation.run("run", "adder", "-p", "numbers=none")
    assert done.returncode == 4
    assert "/params/numbers" in done.stderr


@pytest.mark.parametrize(
    "arguments", [("run", "nobody"), ("logs", "no-such-run"), ("cancel", "no-such-run")], ids=lambda a: a[0]
)
def test_unknown_graph_or_run_is_a_clear_refusal(installation: Installation, arguments: tuple[str, ...]) -> None:
    done = installation.run(*arguments)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_failing_node_fails_the_run_with_its_reason(installation: Installation) -> None:
    document = {**adder(), "name": "breaker"}
    document["nodes"][1]["config"]["code"] = "def main(numbers):\n    raise ValueError('no luck today')\n"
    installation.apply(document)
    done = installation.run("run", "breaker", "-p", "numbers=[]", "--follow", "--json")
    run = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, run["status"], run["outputs"]) == (1, "FAILURE", None)
    assert "no luck today" in json.dumps(run["error"])


def test_same_idempotency_key_makes_one_run(installation: Installation) -> None:
    installation.apply(adder())
    ids = {
        installation.succeed("run", "adder", "-p", "numbers=[1]", "--idempotency-key", "once").strip() for _ in range(3)
    }
    assert len(ids) == 1
    runs = json.loads(installation.succeed("runs", "--graph", "adder", "--limit", "1000", "--json"))
    assert [run["run_id"] for run in runs if run["run_id"] in ids] == [*ids]


def test_same_idempotency_key_with_other_params_is_refused(installation: Installation) -> None:
    installation.apply(adder())
    installation.succeed("run", "adder", "-p", "numbers=[1]", "--idempotency-key", "twice")
    assert installation.run("run", "adder", "-p", "numbers=[2]", "--idempotency-key", "twice").returncode == 4


def test_cancelled_run_ends_canceled(installation: Installation) -> None:
    installation.apply(sleeper())
    run_id = installation.launch("sleeper", seconds=600)
    wait_until(lambda: installation.status(run_id) == "RUNNING", "the run is running", 30)
    installation.succeed("cancel", run_id)
    assert installation.run("logs", run_id, "--follow").returncode == 6
    assert installation.status(run_id) == "CANCELED"


def test_a_failed_run_is_retried_from_its_failure_and_from_the_start(installation: Installation) -> None:
    for document in (fragile(), mending()):
        installation.apply(document)
    assert installation.run("run", "fragile", "--follow").returncode == 1
    (failed, *_) = [item["run_id"] for item in installation.get("runs?graph=fragile")["items"]]
    assert installation.run("retry", failed, "--follow").returncode == 1
    assert installation.run("run", "mending", "--wait", "60").returncode == 0

    def retried(*options: str) -> tuple[list[str], Any]:
        *events, run = map(
            json.loads, installation.succeed("retry", failed, *options, "--follow", "--json").splitlines()
        )
        assert run["parent_run_id"] == failed
        return [event["node"] for event in events if event["type"] == "node.started"], run["outputs"]

    assert retried() == (["reads", "sum"], {"sum": 42})
    assert retried("--from", "start") == (["before", "reads", "sum"], {"sum": 42})
    new = installation.succeed("retry", failed).strip()
    wait_until(lambda: installation.status(new) == "SUCCESS", "the retry succeeds", 60)
    refused = installation.run("retry", new)
    assert (refused.returncode, "succeeded" in refused.stderr) == (4, True)

"""Users' paths through a real cluster: graph, webhook, stream, outputs, containers, canceling, many at once."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import yaml

from tests.kubernetes import graphs
from tests.kubernetes.installation import SERVICES, Installation, kubectl, objects
from tests.waiting import wait_until

pytestmark = pytest.mark.kubernetes
AddFigure = Callable[[str], None]
EXECUTED = 10
REQUESTS = "headrace_kubernetes_requests_total{"
EXAMPLES = Path(__file__).parents[2] / "examples"
RIGHTS = Path(__file__).with_name("rights.json")


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_left(installation: Installation) -> Iterator[None]:
    yield
    installation.wait_all_gone()


def test_a_run_in_a_pod_tells_its_output_and_answers(installation: Installation) -> None:
    installation.save(graphs.quick())
    run_id = installation.run("quick", {"n": 21})
    events = installation.events(run_id)
    assert events[-1]["final"] is True
    assert [event["message"] for event in events if event["type"] == "stdout" and event["node"]] == ["doubling 21"]
    assert installation.wait_ended(run_id)["status"] == "SUCCESS"
    assert installation.request("GET", f"runs/{run_id}/outputs")["outputs"] == {"doubled": 42}
    [job] = objects("jobs", selector=f"headrace/run={run_id}")
    assert job["metadata"]["labels"]["headrace/graph"] == "quick"
    installation.wait_nothing_left(run_id)
    # What the pod said outlives it.
    assert installation.events(run_id) == events


def test_a_signed_push_becomes_a_run(installation: Installation) -> None:
    installation.request("PUT", "secrets/gh_webhook", json={"value": "a secret of the test"})
    document = yaml.safe_load((EXAMPLES / "push-digest.yaml").read_text())
    installation.save(document)
    push = (EXAMPLES / "github-push.json").read_bytes()
    graph = installation.request("GET", f"graphs/{document['name']}")
    [url] = [each["url"] for each in graph["triggers"] if each["type"] == "webhook"]
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": str(uuid.uuid4()),
        "X-Hub-Signature-256": f"sha256={hmac.new(b'a secret of the test', push, hashlib.sha256).hexdigest()}",
    }
    path = url.partition("/hooks/")[2]
    answer = httpx.post(f"{installation.trigger}/hooks/{path}", content=push, headers=headers, timeout=60)
    assert answer.status_code == 202, answer.text
    events = installation.events(answer.json()["run_id"])
    assert (events[-1]["type"], events[-1]["final"]) == ("run.succeeded", True)


def test_a_container_node_is_a_pod_of_its_own_and_goes_with_its_run(installation: Installation) -> None:
    script = "echo hello from a box; printf '{\"n\": 7}' > $HEADRACE_RESULT"
    installation.save(graphs.boxed("boxed", script))
    run_id = installation.run("boxed")
    events = installation.events(run_id)
    assert installation.state(run_id)["status"] == "SUCCESS", events[-1]
    assert "hello from a box" in [event["message"] for event in events if event["type"] == "stdout"]
    assert installation.request("GET", f"runs/{run_id}/outputs")["outputs"] == {"said": {"n": 7}}
    installation.leaves_nothing(run_id)


def test_canceling_removes_every_pod(installation: Installation) -> None:
    installation.save(graphs.boxed("endless", "echo begun; sleep 3600"))
    run_id = installation.run("endless")
    selector = f"headrace/run={run_id}"
    wait_until(lambda: len(objects("pods", selector=selector)) == 2, "the container runs", 120)
    installation.request("POST", f"runs/{run_id}/cancel")
    assert installation.wait_ended(run_id)["status"] == "CANCELED"
    installation.wait_nothing_left(run_id, deadline=60)


def test_runs_that_wait_have_no_pod_and_end_in_one(installation: Installation) -> None:
    installation.save(graphs.waiting("rests", graphs.SUSPENDED + 5))
    installation.save(graphs.waiting("rests-long", 3600))
    rests, canceled = installation.run("rests"), installation.run("rests-long")
    for run_id in (rests, canceled):
        installation.wait_status(run_id, "WAITING")
        wait_until(lambda: not running_pods(run_id), "its pod has ended")  # noqa: B023 - called before the next round
    installation.request("POST", f"runs/{canceled}/cancel")
    assert installation.wait_ended(canceled)["status"] == "CANCELED"
    assert installation.wait_ended(rests)["status"] == "SUCCESS"
    for run_id in (rests, canceled):
        types = [(event["type"], event["node"]) for event in installation.events(run_id)]
        assert (types.count(("node.started", "before")), types.count(("node.succeeded", "last"))) == (1, 1)
    installation.leaves_nothing(rests, canceled)


def running_pods(run_id: str) -> list[str]:
    pods = objects("pods", selector=f"headrace/run={run_id}")
    return [pod["metadata"]["name"] for pod in pods if pod["status"]["phase"] not in ("Succeeded", "Failed")]


def test_a_hundred_runs_become_a_hundred_jobs(installation: Installation, figure: AddFigure) -> None:
    installation.save(graphs.slow("crowd", 1))
    requests = requests_of_daemon()
    began = time.monotonic()
    with ThreadPoolExecutor(10) as pool:
        run_ids = list(pool.map(lambda _: installation.run("crowd"), range(100)))
    accepted = time.monotonic() - began
    made: dict[str, str] = {}
    """The run of each Job that was there, by the Job's identity; Jobs that end may go before the last one comes."""

    def launched() -> bool:
        for job in objects("jobs", selector="headrace/graph=crowd"):
            made[job["metadata"]["uid"]] = job["metadata"]["labels"]["headrace/run"]
        return {*made.values()} >= {*run_ids}

    wait_until(launched, "each run has its Job", 120)
    figure(f"100 runs were accepted after {accepted:.1f} s and were 100 Jobs after {time.monotonic() - began:.1f} s")
    # A hundred at once are more than two cores have to do in a minute: most are canceled.
    executed, canceled = run_ids[:EXECUTED], run_ids[EXECUTED:]
    for run_id in canceled:
        installation.request("POST", f"runs/{run_id}/cancel", expect=[200, 202, 204, 409])
    ends = {run_id: installation.wait_ended(run_id, 900)["status"] for run_id in run_ids}
    assert {ends[run_id] for run_id in executed} == {"SUCCESS"}
    assert {ends[run_id] for run_id in canceled} <= {"CANCELED", "SUCCESS"}
    launched()
    assert sorted(made.values()) == sorted(run_ids)
    installation.wait_nothing_left(*run_ids)
    used = (requests_of_daemon() - requests) / len(run_ids)
    figure(f"{used:.1f} requests to the API server for each run, its end and its removal included")
    assert used <= 20


def requests_of_daemon() -> float:
    """How many requests the daemon that leads has made to the API server, watches included."""
    [pod] = objects("pods", SERVICES, "app.kubernetes.io/component=daemon")
    told = httpx.get(f"http://{pod['status']['podIP']}:9100/metrics", timeout=60).text
    return sum(float(line.split(" ")[-1]) for line in told.splitlines() if line.startswith(REQUESTS))


def test_nobody_may_do_more_at_the_api_server_than_is_written_down(installation: Installation) -> None:
    found = {}
    for account in json.loads(RIGHTS.read_text()):
        namespace, _, name = account.partition("/")
        said = kubectl(
            "auth", "can-i", "--list", "-n", "headrace-runs", f"--as=system:serviceaccount:{namespace}:{name}"
        )
        found[account] = rights(said)
    assert found == json.loads(RIGHTS.read_text())


def rights(said: str) -> dict[str, list[str]]:
    """Verbs by resource, without what every account may: asking what it may, and the server's health and versions."""
    found: dict[str, list[str]] = {}
    for line in said.splitlines()[1:]:
        resource = line.split(" ")[0]
        verbs = line[line.rindex("[") + 1 : line.rindex("]")].split()
        if resource and not resource.startswith("selfsubject"):
            found[resource] = sorted({*found.get(resource, []), *verbs})
    return found

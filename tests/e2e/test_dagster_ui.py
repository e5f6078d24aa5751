"""Dagster's UI behind our sign-in, in a real installation: real Dagster, real HTTP and WebSocket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from tests.e2e.browser import CHROMIUM, open_page
from tests.e2e.conftest import installed
from tests.e2e.documents import adder, sleeper
from tests.e2e.installation import Installation
from tests.waiting import wait_until

pytestmark = pytest.mark.xdist_group("dagster-ui")

RELOAD = 'mutation{reloadRepositoryLocation(repositoryLocationName:"headrace"){__typename}}'
EVENTS = (
    "subscription($run:ID!){pipelineRunLogs(runId:$run){... on PipelineRunLogsSubscriptionSuccess{hasMorePastEvents}}}"
)


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    """With a port for Dagster's UI alone."""
    with installed({"HEADRACE_UI_PORT": "0"}) as installation:
        installation.apply(sleeper())
        installation.apply(adder())
        yield installation


def _socket(url: str, headers: Any, origin: str) -> ClientConnection:
    address = f"{url.replace('http', 'ws')}/dagster/graphql"
    protocols = [Subprotocol("graphql-ws")]
    return connect(address, additional_headers=headers, origin=Origin(origin), subprotocols=protocols, proxy=None)


def _query(url: str, **headers: str) -> httpx.Response:
    return httpx.post(f"{url}/dagster/graphql", json={"query": RELOAD}, headers=headers, timeout=60)


def test_an_administrator_opens_it_asks_it_and_is_told_of_a_run(installation: Installation) -> None:
    url = installation.record["url"]
    page = httpx.get(f"{url}/dagster/runs", headers={**installation.bearer, "Accept": "text/html"}, timeout=60)
    assert page.status_code == 200
    assert '"pathPrefix": "/dagster"' in page.text
    script = page.text.partition('src="')[2].partition('"')[0]
    assert "javascript" in httpx.get(f"{url}{script}", headers=installation.bearer).headers["content-type"]
    assert installation.ask_dagster(RELOAD)["reloadRepositoryLocation"]["__typename"] == "WorkspaceLocationEntry"
    installation.succeed("run", "sleeper", "-p", "seconds=0", "--wait", "60")
    (run,) = installation.get("runs")["items"]
    with _socket(url, installation.bearer, url) as socket:
        assert socket.subprotocol == "graphql-ws"
        socket.send(json.dumps({"type": "connection_init"}))
        assert json.loads(socket.recv(60)) == {"type": "connection_ack"}
        payload = {"query": EVENTS, "variables": {"run": run["run_id"]}}
        socket.send(json.dumps({"type": "start", "id": "1", "payload": payload}))
        message = json.loads(socket.recv(60))
    assert message["type"] == "data"
    assert message["payload"]["data"]["pipelineRunLogs"] == {"hasMorePastEvents": False}


def test_a_browser_that_is_signed_in_uses_it_at_both_ports(installation: Installation) -> None:
    url, port = installation.record["url"], installation.record["ui_url"].removesuffix("/dagster")
    admin = json.loads((installation.home / "admin.json").read_text())
    login = {"username": admin["name"], "password": admin["password"]}
    with httpx.Client(timeout=60) as browser:
        assert browser.get(f"{url}/dagster/runs", headers={"Accept": "text/html"}).headers["location"] == (
            "/signin?next=/dagster/runs"
        )
        browser.post(f"{url}/api/v1/auth/session", json=login, headers={"Origin": url}).raise_for_status()
        for here in (url, port):
            answer = browser.post(f"{here}/dagster/graphql", json={"query": RELOAD}, headers={"Origin": here})
            assert answer.json()["data"]["reloadRepositoryLocation"]
            assert browser.post(f"{here}/dagster/graphql", json={"query": RELOAD}).status_code == 403
        cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}
        with _socket(url, cookie, url) as socket:
            assert socket.subprotocol == "graphql-ws"


def test_nobody_else_gets_past_us(installation: Installation) -> None:
    url = installation.record["url"]
    installation.succeed("user", "add", "eve", "--role", "editor", "--password-stdin", stdin="a long password\n")
    login = {"username": "eve", "password": "a long password"}
    token = httpx.post(f"{url}/api/v1/auth/token", data=login).raise_for_status().json()["access_token"]
    assert _query(url).status_code == 401
    assert _query(url, Authorization=f"Bearer {token}").status_code == 403
    for headers in ({}, {"Authorization": f"Bearer {token}"}):
        with pytest.raises(InvalidStatus, match="403"), _socket(url, headers, url):
            pass


def test_pages_of_other_origins_do_nothing_with_an_administrators_browser(installation: Installation) -> None:
    url, bearer = installation.record["url"], installation.bearer
    for origin in ("https://evil.example", "null", "http://localhost:1"):
        assert _query(url, **bearer, Origin=origin).status_code == 403
        with pytest.raises(InvalidStatus, match="403"), _socket(url, bearer, origin):
            pass
    assert _query(url, **bearer, Host="evil.example").status_code == 403
    assert httpx.get(f"{url}/dagster/graphql", params={"query": RELOAD}, headers=bearer).status_code == 405


def test_its_own_port_asks_for_the_same_and_has_nothing_else(installation: Installation) -> None:
    port = installation.record["ui_url"].removesuffix("/dagster")
    assert port.startswith("http://127.0.0.1:")
    assert port != installation.record["url"]
    assert _query(port).status_code == 401
    assert _query(port, **installation.bearer).json()["data"]["reloadRepositoryLocation"]
    assert httpx.get(f"{port}/api/v1/graphs", headers=installation.bearer).status_code == 404
    assert httpx.get(f"{port}/").headers["location"] == "/dagster/"


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium; Debian's package is `chromium`")
@pytest.mark.parametrize(
    ("path", "shown"), [("/dagster/locations", "headrace@headrace"), ("/dagster/graphql", "query")]
)
def test_its_pages_work_in_a_browser_and_cannot_use_our_api(installation: Installation, path: str, shown: str) -> None:
    url = installation.record["url"]
    with open_page() as page:
        page.call("Network.enable")
        page.call("Network.setExtraHTTPHeaders", headers=dict(installation.bearer))
        page.go(f"{url}{path}")
        page.wait_for(f"document.body && document.body.innerText.includes({shown!r})", f"{path} is shown", 60)
        assert page.complaints == []
        assert page.evaluate("fetch('/dagster/server_info').then(answer => answer.status)") == 200
        assert page.evaluate("fetch('/api/v1/graphs').then(() => 'reached', () => 'refused')") == "refused"


SELECTOR = {"repositoryLocationName": "headrace", "repositoryName": "headrace", "jobName": "admin__sleeper"}
CHECK = """query($config: RunConfigData!, $job: PipelineSelector!) { isPipelineConfigValid(
    pipeline: $job, runConfigData: $config, mode: "default") {
    __typename ... on RunConfigValidationInvalid { errors { message } } } }"""
LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
    __typename ... on LaunchRunSuccess { run { runId tags { key value } } } ... on PythonError { message } } }"""
AGAIN = """mutation($params: ReexecutionParams!) { launchRunReexecution(reexecutionParams: $params) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
JOB = {"repositoryLocationName": "headrace", "repositoryName": "headrace", "pipelineName": "admin__sleeper"}
TERMINATE = "mutation($id: String!) { terminateRun(runId: $id) { __typename } }"


def _config(**params: Any) -> dict[str, Any]:
    return {"resources": {"runtime": {"config": {"params": params}}}}


def test_the_launchpad_knows_the_params(installation: Installation) -> None:
    def errors(config: dict[str, Any]) -> list[str]:
        answer = installation.ask_dagster(CHECK, {"job": JOB, "config": config})
        return [error["message"] for error in answer["isPipelineConfigValid"].get("errors", [])]

    assert errors(_config(seconds=1)) == []
    (message,) = errors(_config(secnds=1))
    assert 'Received unexpected config entry "secnds"' in message


def test_runs_of_the_ui_are_recorded_with_who_launched_and_who_ended_them(installation: Installation) -> None:
    forged = [{"key": "headrace/launched_by", "value": "somebody else"}]
    wanted = {"selector": SELECTOR, "runConfigData": _config(seconds=600), "executionMetadata": {"tags": forged}}
    launched = installation.ask_dagster(LAUNCH, {"params": wanted})["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    run_id = launched["run"]["runId"]
    assert installation.get(f"runs/{run_id}")["tags"] == {"headrace/launched_by": "admin"}
    (found,) = installation.get("runs?tag=headrace/launched_by=admin")["items"]
    assert found["run_id"] == run_id
    wait_until(lambda: installation.status(run_id) == "RUNNING", "the run is running", 60)
    assert installation.ask_dagster(TERMINATE, {"id": run_id})["terminateRun"]["__typename"] == "TerminateRunSuccess"
    wait_until(lambda: installation.status(run_id) == "CANCELED", "the run is canceled", 60)
    assert "admin ends the run in Dagster's UI." in installation.succeed("logs", run_id)
    deeds = installation.get(f"audit?target={run_id}")["items"]
    actors = [(deed["action"], deed["actor"]["name"], deed["credential"], deed["address"]) for deed in deeds]
    assert actors == [(action, "admin", "token", "127.0.0.1") for action in ("run.canceled", "run.launched")]
    params = {"parentRunId": run_id, "strategy": "ALL_STEPS"}
    again = installation.ask_dagster(AGAIN, {"params": params})["launchRunReexecution"]
    assert again["__typename"] == "LaunchRunSuccess", again
    run = installation.get(f"runs/{again['run']['runId']}")
    assert (run["tags"], run["params"]["seconds"]) == ({"headrace/launched_by": "admin"}, 600)
    installation.succeed("cancel", run["run_id"])


def test_a_launch_whose_params_do_not_fit_says_why(installation: Installation) -> None:
    selector = {**SELECTOR, "jobName": "admin__adder"}
    body = {"query": LAUNCH, "variables": {"params": {"selector": selector, "runConfigData": {}}}}
    url = f"{installation.record['ui_url']}/graphql"
    refused = httpx.post(url, json=body, headers=installation.bearer, timeout=60).json()["data"]["launchRun"]
    assert refused["__typename"] == "PythonError"
    assert "/params/numbers: the param `numbers` is missing" in refused["message"]

"""Headrace in a real cluster, as its operator and its users reach it."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from headrace.client import Client
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
OVERLAY = ROOT / "deploy" / "k8s" / "overlays" / "local"
SERVICES = "headrace"
RUNS = "headrace-runs"
ENDED = ("SUCCESS", "FAILURE", "CANCELED")
Json = dict[str, Any]


def kubectl(*arguments: str, stdin: str | None = None, check: bool = True) -> str:
    """Its standard output; an assertion fails with what it said if it fails."""
    done = subprocess.run(["kubectl", *arguments], capture_output=True, text=True, input=stdin, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done.stdout


def objects(kind: str, namespace: str = RUNS, selector: str = "") -> list[Json]:
    options = ["-l", selector] if selector else []
    return list(json.loads(kubectl("-n", namespace, "get", kind, "-o", "json", *options))["items"])


class Installation:
    """The `local` overlay, ready. Services are reached by their cluster IPs."""

    def __init__(self) -> None:
        self.trigger = self._address("headrace-trigger-api")
        self.stream = self._address("headrace-stream-api")
        self._http = httpx.Client(base_url=f"{self.trigger}/api/v1", timeout=60)
        password = self.secret("HEADRACE_ADMIN_PASSWORD")
        try:
            answer = self._http.post("auth/token", data={"username": "admin", "password": password})
            assert answer.status_code == 200, answer.text
        except BaseException:
            self.close()
            raise
        self.token = answer.json()["access_token"]
        self._http.headers["Authorization"] = f"Bearer {self.token}"
        self._to_go: list[str] = []

    def close(self) -> None:
        self._http.close()

    def secret(self, key: str) -> str:
        content = json.loads(kubectl("-n", SERVICES, "get", "secret", "headrace", "-o", "json"))["data"]
        return base64.b64decode(content[key]).decode()

    def _address(self, service: str) -> str:
        found = json.loads(kubectl("-n", SERVICES, "get", "service", service, "-o", "json"))["spec"]
        return f"http://{found['clusterIP']}:{found['ports'][0]['port']}"

    def request(self, method: str, path: str, *, expect: Sequence[int] = (200, 201, 202, 204), **options: Any) -> Any:
        """The JSON of the answer; connections that a fault breaks are tried again for a minute."""

        def once() -> httpx.Response | None:
            try:
                answer = self._http.request(method, path, **options)
            except httpx.TransportError:
                return None
            return None if answer.status_code == 503 else answer

        answer = wait_until(once, f"{method} {path} is answered", 90)
        assert answer.status_code in expect, answer.text
        return answer.json() if answer.content else None

    def save(self, document: Mapping[str, Any]) -> None:
        self.request("PUT", f"graphs/{document['name']}", json=document)

    def run(self, graph: str, params: Mapping[str, Any] | None = None, key: str | None = None) -> str:
        headers = {} if key is None else {"Idempotency-Key": key}
        return str(
            self.request("POST", f"graphs/{graph}/runs", json={"params": params or {}}, headers=headers)["run_id"]
        )

    def state(self, run_id: str) -> Json:
        return dict(self.request("GET", f"runs/{run_id}"))

    def wait_ended(self, run_id: str, deadline: float = 180.0) -> Json:
        def ended() -> Json | None:
            state = self.state(run_id)
            return state if state["status"] in ENDED else None

        return wait_until(ended, f"run {run_id} ends", deadline)

    def wait_status(self, run_id: str, status: str, deadline: float = 120.0) -> None:
        wait_until(lambda: self.state(run_id)["status"] == status, f"run {run_id} is {status}", deadline)

    def events(self, run_id: str) -> list[Json]:
        """All events, over a WebSocket, to the final one."""
        with Client(self.stream, self.token, patience=120.0) as client:
            return [dict(event) for event in client.follow(run_id)]

    def leaves_nothing(self, *run_ids: str) -> None:
        """Of these runs no pod and no Job is to be left once the tests of the module are done."""
        self._to_go.extend(run_ids)

    def wait_all_gone(self) -> None:
        """What `leaves_nothing` was given is so; at the end of a module, so that no test waits for a TTL."""
        self.wait_nothing_left(*self._to_go)
        self._to_go.clear()

    def wait_nothing_left(self, *run_ids: str, deadline: float = 180.0) -> None:
        """No pod and no Job of these runs: ended Jobs go by their TTL."""
        wanted = set(run_ids)

        def is_gone() -> bool:
            there = objects("jobs,pods", selector="headrace/run")
            return wanted.isdisjoint(each["metadata"]["labels"]["headrace/run"] for each in there)

        wait_until(is_gone, f"nothing of {len(wanted)} runs is left", deadline)

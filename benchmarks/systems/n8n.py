"""n8n as `n8n start` runs it, with the workflow that the scenario `answers` compares: a webhook and two Set nodes.

It is not installed by this project. `N8N` names its command, or `n8n` is on the PATH; without it nothing is compared.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx

READY_SECONDS = 120
ID = "headrace00000001"
PATH = "bench"


@dataclass(frozen=True)
class N8n:
    """A running n8n; `url` is the webhook's."""

    pid: int
    ready_seconds: float
    url: str


def command() -> str | None:
    """The command, if there is one."""
    return os.environ.get("N8N") or shutil.which("n8n")


def version() -> str | None:
    """Its version, if there is one."""
    found = command()
    return None if found is None else subprocess.check_output([found, "--version"], text=True).split()[-1]


@contextmanager
def running(n8n: str) -> Iterator[N8n]:
    """n8n in a folder of its own on a free port, from ready to stopped."""
    with tempfile.TemporaryDirectory(prefix="headrace-n8n-") as folder, socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
        probe.close()
        environment = {**os.environ, **_settings(folder, port)}
        workflow = Path(folder, "workflow.json")
        workflow.write_text(json.dumps([_workflow()]))
        for task in (["import:workflow", f"--input={workflow}"], ["publish:workflow", f"--id={ID}"]):
            subprocess.run([n8n, *task], env=environment, check=True, capture_output=True)
        started = time.monotonic()
        with subprocess.Popen([n8n, "start"], env=environment, stdout=subprocess.DEVNULL) as process:
            try:
                url = f"http://127.0.0.1:{port}/webhook/{PATH}"
                _wait_for(url)
                yield N8n(process.pid, time.monotonic() - started, url)
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(60)


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            if httpx.post(url, json={"x": 1}, trust_env=False).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"n8n does not answer after {READY_SECONDS} s")


def _settings(folder: str, port: int) -> dict[str, str]:
    return {
        "N8N_USER_FOLDER": folder,
        "N8N_PORT": str(port),
        "N8N_LISTEN_ADDRESS": "127.0.0.1",
        "N8N_DIAGNOSTICS_ENABLED": "false",
        "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
        "N8N_TEMPLATES_ENABLED": "false",
    }


def _workflow() -> dict[str, Any]:
    webhook = {"httpMethod": "POST", "path": PATH, "responseMode": "lastNode", "options": {}}
    nodes = [
        _node("Webhook", "webhook", 2, webhook) | {"webhookId": "11111111-1111-4111-8111-111111111111"},
        _node("First", "set", 3.4, _set("x", "={{ $json.body.x }}")),
        _node("Second", "set", 3.4, _set("r", "={{ $json.x * 2 }}")),
    ]
    names = [node["name"] for node in nodes]
    links = {source: {"main": [[{"node": target, "type": "main", "index": 0}]]} for source, target in pairwise(names)}
    settings = {"executionOrder": "v1"}
    return {"id": ID, "name": PATH, "active": False, "nodes": nodes, "connections": links, "settings": settings}


def _node(name: str, kind: str, version: float, parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": name.lower(),
        "name": name,
        "type": f"n8n-nodes-base.{kind}",
        "typeVersion": version,
        "position": [0, 0],
        "parameters": parameters,
    }


def _set(name: str, value: str) -> dict[str, Any]:
    return {
        "assignments": {"assignments": [{"id": name, "name": name, "value": value, "type": "number"}]},
        "options": {},
    }

"""`make demo`: a whole tour in a temporary home, through public interfaces only.

Starts `headrace up` on free ports, applies push-digest.yaml, sends it a recorded GitHub push as GitHub would, shows the
run live and its outputs, and stops everything.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

EXAMPLES = Path(__file__).parent
GRAPH = EXAMPLES / "push-digest.yaml"
PUSH = EXAMPLES / "github-push.json"
STOP_SECONDS = 30


class DemoFailed(Exception):
    """A step did not do what it should."""


class Stack:
    """The stack of a home, spoken to by the command line."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {**os.environ, "HEADRACE_HOME": str(home)}

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-P", "-m", "headrace_cli", *arguments]

    def headrace(self, *arguments: str, stdin: str | None = None) -> str:
        """The output of a command, which is shown as one would type it. Raises `DemoFailed`."""
        print(f"$ headrace {shlex.join(arguments)}", flush=True)
        done = subprocess.run(
            self.command(*arguments), env=self.environment, input=stdin, text=True, stdout=subprocess.PIPE, check=False
        )
        if done.returncode != 0:
            raise DemoFailed(f"headrace {arguments[0]} ended with exit code {done.returncode}\n{done.stdout}")
        return done.stdout

    @contextmanager
    def running(self) -> Iterator[None]:
        """`headrace up` on free ports, ready; stopped at the end."""
        print("$ headrace up --port 0", flush=True)
        command = self.command("up", "--port", "0")
        started = time.monotonic()
        with subprocess.Popen(command, env=self.environment, text=True, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    print(f"  {line}", end="", flush=True)
                    if line.startswith("ready "):
                        break
                else:
                    raise DemoFailed(f"headrace up ended with exit code {process.wait()}")
                print(f"  ({time.monotonic() - started:.1f} s)\n", flush=True)
                yield
            finally:
                process.send_signal(signal.SIGINT)
                process.communicate(timeout=STOP_SECONDS)


def tour(stack: Stack) -> None:
    """Secret, graph, webhook, live events, outputs."""
    secret = secrets.token_hex(16)
    stack.headrace("secret", "set", "gh_webhook", stdin=secret)
    graph = json.loads(stack.headrace("apply", "--json", os.path.relpath(GRAPH)))[0]["graph"]
    webhook = next(trigger["url"] for trigger in graph["triggers"] if trigger["type"] == "webhook")
    print(f"  {graph['name']} version {graph['version']}, webhook {webhook}\n")

    delivery = send_push(webhook, secret)
    run_id = delivery["run_id"]
    print(f"  accepted: run {run_id}\n")

    print(f"$ headrace logs --follow {run_id}", flush=True)
    if subprocess.run(stack.command("logs", "--follow", run_id), env=stack.environment, check=False).returncode != 0:
        raise DemoFailed(f"run {run_id} did not succeed")
    show_outputs(stack, run_id)


def send_push(webhook: str, secret: str) -> Any:
    """The recorded push, signed on its raw bytes as GitHub does."""
    body = PUSH.read_bytes()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": str(uuid.uuid4()),
        "X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
    }
    print(f"$ POST {webhook}  (GitHub push, {len(body)} bytes, signed)", flush=True)
    response = httpx.post(webhook, content=body, headers=headers, timeout=30)
    if response.status_code != 202:
        raise DemoFailed(f"the webhook answered {response.status_code}: {response.text}")
    return response.json()


def show_outputs(stack: Stack, run_id: str) -> None:
    up = json.loads((stack.home / "up.json").read_text())
    token = stack.headrace("token").strip()
    print(f"  {token[:12]}...\n$ GET /api/v1/runs/{run_id}/outputs")
    url = f"{up['url']}/api/v1/runs/{run_id}/outputs"
    outputs = httpx.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=30).raise_for_status().json()
    print(json.dumps(outputs["outputs"], indent=2))
    print(f"\nThe same run in Dagster's UI (while it is up): {up['ui_url']}/runs/{run_id}")
    print("\nTo keep it up: .venv/bin/headrace up   then, in another terminal,")
    print(
        "  .venv/bin/headrace secret set gh_webhook && .venv/bin/headrace apply examples/push-digest.yaml\n", flush=True
    )


def show_logs(home: Path) -> None:
    for log in sorted((home / "logs").glob("*.log")):
        print(f"--- end of {log.name}")
        print("\n".join(log.read_text(errors="replace").splitlines()[-15:]))


def main() -> int:
    os.chdir(EXAMPLES.parent)
    with tempfile.TemporaryDirectory(prefix="headrace-demo-") as folder:
        stack = Stack(Path(folder))
        try:
            with stack.running():
                tour(stack)
        except (DemoFailed, httpx.HTTPError) as failure:
            print(f"\nThe demo failed: {failure}", flush=True)
            show_logs(stack.home)
            return 1
        print("Everything is stopped again.")
        return 0


if __name__ == "__main__":
    sys.exit(main())

"""A `headrace up` in a temporary home, spoken to as users do: by the command line, HTTP and signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.waiting import wait_until

READY_SECONDS = 120.0
STOP_SECONDS = 40.0
MARKER = "HEADRACE_E2E_ID"


class Installation:
    """A home and, while it runs, its `up`; `prefix` is a command that runs others, as somebody else for instance."""

    def __init__(
        self, home: Path, marker: str, variables: Mapping[str, str] | None = None, prefix: Sequence[str] = ()
    ) -> None:
        self.home = home
        self._command = [*prefix, *_headrace()]
        self.lines: list[str] = []
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HEADRACE_", "DAGSTER_"))}
        # Most tests mean a run that has a worker by one that has a long delay.
        own = {"HEADRACE_HOME": str(home), MARKER: marker, "HEADRACE_SUSPEND_OVER": "3600"}
        self.environment = {**kept, **own, **(variables or {})}
        self._marker = marker
        self.process: subprocess.Popen[str] | None = None
        self._client: httpx.Client | None = None

    def start(self, *options: str) -> None:
        """Start `up` on free ports, with these options; returns when it has printed the ready line."""
        self.lines.clear()
        command = [*self._command, "up", "--port", "0", *options]
        self.process = subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()
        wait_until(lambda: self.is_ready or self.has_ended, "up is ready", READY_SECONDS)
        assert self.is_ready, self.logs()
        headers = {"Authorization": f"Bearer {self.succeed('token').strip()}"}
        url = str(self.record["url"])
        # Whether a certificate is checked is what the tests of TLS are about, and no others.
        checked = url.startswith("http:")
        self._client = httpx.Client(base_url=f"{url}/api/v1/", headers=headers, timeout=60, verify=checked)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal `up` and wait for its end; its exit code."""
        assert self.process is not None
        if self._client is not None:
            self._client.close()
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)

    @property
    def is_ready(self) -> bool:
        return any(line.startswith("ready ") for line in self.lines)

    @property
    def has_ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    @property
    def record(self) -> Mapping[str, Any]:
        """HOME/up.json as it is now."""
        record: Mapping[str, Any] = json.loads((self.home / "up.json").read_text())
        return record

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """A `headrace` command in this home."""
        return subprocess.run(
            [*self._command, *arguments],
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )

    def succeed(self, *arguments: str, stdin: str = "") -> str:
        """The output of a command that has to exit with 0."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, f"headrace {arguments}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def ask_dagster(self, query: str, variables: Mapping[str, Any] | None = None) -> Any:
        """What Dagster's UI, which starts when it is first asked, answers the administrator."""
        assert self._client is not None
        body = {"query": query, "variables": dict(variables or {})}
        answer = self._client.post(f"{self.record['ui_url']}/graphql", json=body).raise_for_status().json()
        assert "errors" not in answer, answer
        return answer["data"]

    @property
    def bearer(self) -> Mapping[str, str]:
        """The administrator's credentials, as a header."""
        assert self._client is not None
        return {"Authorization": self._client.headers["Authorization"]}

    def apply(self, document: Mapping[str, Any]) -> Any:
        """Save a graph; the server's answer."""
        path = self.home / f"{document['name']}.json"
        path.write_text(json.dumps(document))
        return json.loads(self.succeed("apply", "--json", str(path)))[0]["graph"]

    def get(self, path: str) -> Any:
        """The JSON under /api/v1, as the administrator."""
        assert self._client is not None
        return self._client.get(path).raise_for_status().json()

    def launch(self, graph: str, **params: Any) -> str:
        """Start a run while everything works; its id."""
        assert self._client is not None
        answer = self._client.post(f"graphs/{graph}/runs", json={"params": params}).raise_for_status()
        return str(answer.json()["run_id"])

    def status(self, run_id: str) -> str:
        """The present status of a run."""
        return str(self.get(f"runs/{run_id}")["status"])

    def processes(self) -> list[psutil.Process]:
        """Every process that descends from this `up`, orphans included, or works in its home."""
        return [process for process in psutil.process_iter() if self._owns(process)]

    def logs(self) -> str:
        """The ends of all logs, for a failed test."""
        parts = ["\n".join(self.lines)]
        for log in sorted((self.home / "logs").glob("*.log")):
            parts.append(f"--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-40:]))
        return "\n".join(parts)

    def _owns(self, process: psutil.Process) -> bool:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            ours = process.environ().get(MARKER) == self._marker
            return ours or any(str(self.home) in argument for argument in process.cmdline())
        except psutil.Error:
            return False

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                self.lines.append(line.rstrip("\n"))


def _headrace() -> list[str]:
    return [sys.executable, "-P", "-m", "headrace_cli"]

"""Hostile code in nodes of a real `up`: as root, as an ordinary user, and as one in a container without namespaces."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from definitions.sandbox.machine import Gap, Machine
from tests.e2e.hostile.attacks import ATTACKS, ESCAPE, FIND, FORK_BOMB, METADATA, PLANT, Attack, whole
from tests.e2e.installation import Installation
from tests.waiting import wait_until

NOBODY = 65534
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
WITHOUT_NAMESPACES = [sys.executable, "-m", "tests.e2e.hostile.without_namespaces"]
PASSWORD = "a-long-password-of-the-test"


@dataclass(frozen=True)
class Target:
    """A running `up`, and somebody who may save graphs there."""

    installation: Installation
    machine: Machine
    attacker: httpx.Client

    def run(self, code: str, *, timeout: str = "30s", network: str | None = None, **more: Any) -> dict[str, Any]:
        """The run of a graph whose node has the code, when it has ended."""
        record, home = self.installation.record, self.installation.home
        pids = [record["pid"], *record["pids"].values()]
        args = {"home": str(home), "pids": pids, "sockets": [f"{home}/socket", f"{home}/run"], **more}
        config = {"code": code, "args": args} | ({} if network is None else {"network": network})
        name = f"hostile-{uuid.uuid4().hex[:12]}"
        node = {"id": "node", "type": "python", "timeout": timeout, "config": config}
        document = {"spec_version": 1, "name": name, "nodes": [node], "outputs": {"it": "{{ nodes.node.result }}"}}
        self.attacker.post("graphs", json=document).raise_for_status()
        run_id = self.attacker.post(f"graphs/{name}/runs", json={"params": {}}).raise_for_status().json()["run_id"]
        wait_until(lambda: self._ended(run_id), "the run has ended", 180)
        run: dict[str, Any] = self._get(f"runs/{run_id}")
        if run["status"] == "SUCCESS":
            run |= self._get(f"runs/{run_id}/outputs")
        return run

    def reached(self, code: str, **how: Any) -> Any:
        """What the code returns, which has to be a list."""
        run = self.run(code, **how)
        assert run["status"] == "SUCCESS", run["error"]
        return run["outputs"]["it"]

    def _ended(self, run_id: str) -> bool:
        return self._get(f"runs/{run_id}")["status"] in ("SUCCESS", "FAILURE", "CANCELED")

    def _get(self, path: str) -> Any:
        return self.attacker.get(path).raise_for_status().json()


def _prefix(mode: str) -> list[str]:
    """How `up` is started in a mode; skips where that cannot be."""
    is_root = os.geteuid() == 0
    if mode == "root":
        return [] if is_root else pytest.skip("only root starts `up` as root")
    become = AS_NOBODY if is_root else []
    if become and shutil.which("setpriv") is None:
        pytest.skip("setpriv makes an ordinary user of root, and is not there")
    works = subprocess.run(
        [*become, sys.executable, "-c", "import headrace_cli.main"], capture_output=True, check=False
    )
    if works.returncode:
        pytest.skip("an ordinary user cannot read this Python or these sources")
    return [*become, *(WITHOUT_NAMESPACES if mode == "container" else [])]


@pytest.fixture(scope="module", params=["root", "user", "container"])
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    prefix = _prefix(request.param)
    examine = [*prefix, sys.executable, "-P", "-m", "definitions.sandbox.machine"]
    machine = Machine(**json.loads(subprocess.run(examine, capture_output=True, check=True).stdout))
    with tempfile.TemporaryDirectory(prefix="headrace-hostile-") as folder:
        home = Path(folder, "home")
        home.mkdir()
        if request.param != "root" and os.geteuid() == 0:
            for place in (Path(folder), home):
                os.chown(place, NOBODY, NOBODY)
        installation = Installation(home, uuid.uuid4().hex, {"HOME": folder}, prefix)
        try:
            installation.start()
            # On a weak machine only the administrator's code runs, which is as hostile here.
            name = "admin" if any(gap.is_grave for gap in machine.gaps) else "mallory"
            if name == "mallory":
                installation.succeed("user", "add", name, "--password-stdin", stdin=f"{PASSWORD}\n")
            with _client(installation, name) as attacker:
                yield Target(installation, machine, attacker)
        finally:
            if not installation.has_ended:
                installation.stop()


def _client(installation: Installation, name: str) -> httpx.Client:
    admin = json.loads((installation.home / "admin.json").read_text())
    password = admin["password"] if name == admin["name"] else PASSWORD
    base = f"{installation.record['url']}/api/v1/"
    form = {"username": name, "password": password}
    token = httpx.post(f"{base}auth/token", data=form).raise_for_status().json()["access_token"]
    return httpx.Client(base_url=base, headers={"Authorization": f"Bearer {token}"}, timeout=60)


def _named(name: str) -> list[int]:
    return [process.pid for process in psutil.process_iter(["name"]) if process.info["name"] == name]


@pytest.fixture
def unharmed(target: Target) -> Iterator[None]:
    """The services are those of before, and answer."""
    before = dict(target.installation.record["pids"])
    yield
    assert target.installation.record["pids"] == before
    assert all(map(psutil.pid_exists, before.values()))
    assert httpx.get(f"{target.installation.record['url']}/readyz").status_code == 200


@pytest.mark.usefixtures("unharmed")
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_code_reaches_nothing_that(target: Target, attack: Attack) -> None:
    if missing := attack.gaps & set(target.machine.gaps):
        pytest.skip(f"this machine cannot enforce it, and says so: {', '.join(gap.value for gap in missing)}")
    assert target.reached(attack.whole, timeout=attack.timeout) == []


def test_nothing_is_left_for_the_next_node(target: Target) -> None:
    if Gap.DISK in target.machine.gaps:
        pytest.skip(Gap.DISK.value)
    assert target.reached(whole(PLANT)) == [
        f"{place}/headrace-planted" for place in ("/tmp", "/var/tmp", "/dev/shm") if Path(place).is_dir()
    ]
    assert target.reached(whole(FIND)) == []
    assert not Path("/tmp/headrace-planted").exists()


@pytest.mark.usefixtures("unharmed")
@pytest.mark.parametrize("code", [ESCAPE, FORK_BOMB], ids=["a sleeper in a session of its own", "a fork bomb"])
def test_nothing_outlives_the_time_of_a_node(target: Target, code: str) -> None:
    name = f"esc-{uuid.uuid4().hex[:8]}"
    run = target.run(whole(code), timeout="2s", name=name)
    assert run["error"]["kind"] in (
        "code_timeout",
        "timeout",
    )  # by the interpreter, or by the engine if that does not come to it
    assert _named(name) == []


@pytest.mark.parametrize("network", ["none", "public"])
def test_no_address_of_metadata_is_reached(target: Target, network: str) -> None:
    run = target.run(whole(METADATA), network=network)
    if network == "public" and Gap.PUBLIC in target.machine.gaps:
        assert run["error"]["kind"] == "network_unavailable"
    else:
        assert (run["status"], target.reached(whole(METADATA), network=network)) == ("SUCCESS", [])


def test_the_password_of_postgresql_is_in_no_command_line_and_no_environment(target: Target) -> None:
    password = (target.installation.home / "postgres.password").read_text().strip().rpartition(":")[2]
    assert len(password) > 20
    seen = 0
    for process in target.installation.processes():
        try:
            words = [*process.cmdline(), *process.environ().values()]
        except psutil.AccessDenied:  # where this is not root, which is as good
            words = process.cmdline()
        except psutil.NoSuchProcess:
            continue
        seen += 1
        assert not [word for word in words if password in word]
    assert seen > 4
    assert password not in (target.installation.home / "up.json").read_text()


def test_what_the_machine_cannot_enforce_is_said_and_refused_to_other_owners(target: Target) -> None:
    said = httpx.get(f"{target.installation.record['url']}/readyz").json()["sandbox"]
    expected = "; ".join(gap.value for gap in target.machine.gaps)
    assert said == (expected or "ok")
    assert any(line.startswith("sandbox ") for line in target.installation.lines) is bool(expected)
    if not any(gap.is_grave for gap in target.machine.gaps):
        return
    target.installation.succeed("user", "add", "ann", "--password-stdin", stdin=f"{PASSWORD}\n")
    with _client(target.installation, "ann") as ann:
        run = Target(target.installation, target.machine, ann).run("def main(**_): return []")
    assert run["error"]["kind"] == "sandbox_weak"

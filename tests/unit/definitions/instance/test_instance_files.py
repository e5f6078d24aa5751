"""The files by which Dagster's processes find a home."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

from definitions.instance import instance_files
from definitions.shared import addresses
from platform_core.settings import Settings


def test_home_names_our_storage_launcher_queue_and_location(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, database_url="postgresql://x/y", max_concurrent_runs=3)
    folder = instance_files.write(settings)
    instance = json.loads((folder / "dagster.yaml").read_text())
    assert folder == tmp_path / "dagster"
    assert instance["storage"]["custom"] == {
        "module": "definitions.instance.storage",
        "class": "PooledStorage",
        "config": {"postgres_url": {"env": "HEADRACE_DATABASE_URL"}},
    }
    assert instance["run_launcher"]["config"] == {"home": str(tmp_path)}
    assert instance["run_coordinator"]["config"]["max_concurrent_runs"] == 3
    limits = instance["run_coordinator"]["config"]["tag_concurrency_limits"]
    assert {entry["key"]: entry["limit"] for entry in limits} == {"headrace/at_most_1": 1, "headrace/at_most_2": 2}
    assert instance["run_monitoring"]["enabled"] is True
    assert instance["telemetry"] == {"enabled": False}
    workspace = json.loads(instance_files.workspace_file(settings).read_text())
    socket = str(addresses.run_folder(tmp_path) / "code.sock")
    assert workspace == {"load_from": [{"grpc_server": {"socket": socket, "location_name": "headrace"}}]}


def test_code_server_elsewhere_is_named_by_host_and_port(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, code_server_host="graphs.test", code_server_port=4000)
    instance_files.write(settings)
    workspace = json.loads(instance_files.workspace_file(settings).read_text())
    server = {"host": "graphs.test", "port": 4000, "location_name": "headrace"}
    assert workspace == {"load_from": [{"grpc_server": server}]}


def test_no_secret_is_written_and_nobody_else_enters(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", database_url="postgresql://user:hidden@host/db")
    folder = instance_files.write(settings)
    assert not any("hidden" in path.read_text() for path in folder.iterdir())
    for path in (folder, addresses.run_folder(settings.home)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_writing_again_follows_changed_settings(tmp_path: Path) -> None:
    instance_files.write(Settings(home=tmp_path, max_concurrent_runs=3))
    folder = instance_files.write(Settings(home=tmp_path, max_concurrent_runs=5))
    instance = json.loads((folder / "dagster.yaml").read_text())
    assert instance["run_coordinator"]["config"]["max_concurrent_runs"] == 5


def test_writing_loads_no_dagster() -> None:
    program = "import sys, definitions.instance.instance_files; sys.exit('dagster' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0

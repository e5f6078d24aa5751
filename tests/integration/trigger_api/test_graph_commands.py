"""Commands about graphs, secrets, files and logins against the real application."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.engine import Engine

from platform_core.settings import Settings
from tests.integration.trigger_api.conftest import API, PASSWORD, document, end_run
from tests.integration.trigger_api.test_commands import Shell

CODE = "def main():\n    return 1\n"


@pytest.fixture
def shell(address: str, ada: httpx.Client) -> Shell:
    return Shell(address, ada)


def write(path: Path, **changes: Any) -> str:
    path.write_text(json.dumps(document(**changes)))
    return str(path)


def test_a_document_comes_back_as_it_can_be_applied(shell: Shell, tmp_path: Path) -> None:
    nodes = [{"id": "grind", "type": "python", "config": {"code": CODE}}]
    outputs = {"flour": "{{ nodes.grind.result }}"}
    assert shell.run("apply", write(tmp_path / "a.json", nodes=nodes, outputs=outputs)).exit_code == 0
    text = shell.run("get", "mill").stdout
    assert "code: |\n" in text
    (tmp_path / "b.yaml").write_text(text)
    assert shell.run("apply", str(tmp_path / "b.yaml")).stdout == "mill unchanged (version 1)\n"
    assert json.loads(shell.run("get", "mill", "--as", "json").stdout)["name"] == "mill"
    assert json.loads(shell.run("get", "mill", "--json").stdout)["version"] == 1


def test_changed_tests_are_told_and_make_no_version(shell: Shell, tmp_path: Path) -> None:
    shell.run("apply", write(tmp_path / "a.json"))
    tests = [{"name": "little", "params": {"water": 1}}]
    told = [shell.run("apply", write(tmp_path / "a.json", tests=tests)).stdout for _ in range(2)]
    assert told == ["mill changed (version 1)\n", "mill unchanged (version 1)\n"]
    assert json.loads(shell.run("get", "mill", "--as", "json").stdout)["tests"] == tests


def test_versions_are_listed_and_compared(shell: Shell, tmp_path: Path) -> None:
    shell.run("apply", write(tmp_path / "a.json"))
    nodes = [{"id": "grind", "type": "transform", "config": {"value": "{{ params.water }}\nx"}}]
    shell.run("apply", write(tmp_path / "a.json", description="Grinds."))
    shell.run("apply", write(tmp_path / "a.json", nodes=nodes))
    rows = [line.split()[:2] for line in shell.run("versions", "mill").stdout.splitlines()]
    assert [row[0] for row in rows] == ["VERSION", "3", "2", "1"]
    assert rows[1][1] == "current"
    changed = shell.run("diff", "mill", "1", "2")
    assert (changed.exit_code, changed.stdout) == (1, '+ description: "Grinds."\n')
    latest = shell.run("diff", "mill")
    assert latest.stderr == "mill: version 2 -> version 3\n"
    assert latest.stdout.splitlines() == [
        "~ nodes[grind].config.value:",
        "    @@ -1 +1,2 @@",
        "     {{ params.water }}",
        "    +x",
        '- description: "Grinds."',
    ]
    assert shell.run("diff", "mill", "2", "2").exit_code == 0
    assert json.loads(shell.run("diff", "mill", "1", "2", "--json").stdout)["to_version"] == 2
    assert shell.run("diff", "mill", "1", "9").exit_code != 0


def test_all_files_are_tried_and_issues_stand_where_the_text_has_them(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(
        "spec_version: 1\nname: bad\nnodes:\n  - { id: a, type: trasform, config: {} }\n"
    )
    good = write(tmp_path / "good.json")
    bad, missing = str(tmp_path / "bad.yaml"), str(tmp_path / "missing.yaml")
    applied = shell.run("apply", missing, bad, good)
    assert applied.exit_code == 2
    assert f"{missing}: error: " in applied.stderr
    assert applied.stdout.splitlines()[0].startswith(f"{bad}:4:20: unknown_node_type: ")
    assert applied.stdout.splitlines()[1] == "mill created (version 1)"
    told = json.loads(shell.run("apply", bad, missing, good, "--json").stdout)
    assert [each["outcome"] for each in told] == ["invalid", "failed", "unchanged"]
    assert shell.run("apply", bad, good).exit_code == 1
    there = shell.run("validate", "--server", bad, good)
    assert (there.exit_code, there.stdout) == (1, shell.run("validate", bad).stdout)


def test_a_call_of_a_saved_graph_is_checked_on_the_server(shell: Shell, tmp_path: Path) -> None:
    shell.run("apply", write(tmp_path / "mill.json"))
    call = {"id": "c", "type": "graph", "config": {"graph": "mill", "params": {"wter": 1}}}
    path = write(tmp_path / "caller.json", name="caller", nodes=[call], outputs={})
    assert shell.run("validate", path).exit_code == 0
    there = shell.run("validate", "--server", path)
    assert there.exit_code == 1
    assert "wter" in there.stdout


def test_a_deleted_graph_is_gone(shell: Shell, tmp_path: Path) -> None:
    shell.run("apply", write(tmp_path / "a.json"))
    assert shell.run("delete", "mill").exit_code != 0
    assert shell.run("delete", "mill", "--yes").stderr == "graph mill is deleted\n"
    assert shell.run("get", "mill").exit_code != 0


def test_secrets_are_listed_without_values_and_deleted(shell: Shell) -> None:
    assert shell.run("secret", "set", "key", stdin="hidden\n").exit_code == 0
    listed = shell.run("secret", "list")
    assert [line.split() for line in listed.stdout.splitlines()] == [["SECRET", "FROM"], ["key", "stored"]]
    assert "hidden" not in listed.stdout + shell.run("secret", "list", "--json").stdout
    assert shell.run("secret", "delete", "key").stderr == "secret key is deleted\n"
    assert json.loads(shell.run("secret", "list", "--json").stdout) == []
    assert shell.run("secret", "delete", "key").exit_code != 0


def test_runs_are_named_by_a_beginning_or_as_the_newest(shell: Shell, tmp_path: Path) -> None:
    shell.run("apply", write(tmp_path / "a.json"))
    assert shell.run("show", "@last").exit_code != 0
    first, second = (shell.run("run", "mill", "-p", f"water={n}", "--json").stdout for n in (1, 2))
    one, two = json.loads(first)["run_id"], json.loads(second)["run_id"]
    assert json.loads(shell.run("show", "@last", "--json").stdout)["run_id"] == two
    assert json.loads(shell.run("show", one[:13].upper(), "--json").stdout)["run_id"] == one
    assert shell.run("cancel", one[:13]).stdout == f"{one} CANCELED\n"
    for wrong in ("ab", "zzzz-zzzz"):
        assert shell.run("show", wrong).exit_code != 0
    assert [line.split()[0] for line in shell.run("runs", "--status", "canceled").stdout.splitlines()[1:]] == [one]
    assert len(shell.run("runs", "--since", "2020-01-01", "--trigger", "manual", "-q", "oak").stdout.splitlines()) == 3
    assert shell.run("runs", "--until", "2020-01-01T00:00").stdout.splitlines()[1:] == []
    assert shell.run("runs", "--since", "soon").exit_code != 0


def test_outputs_are_printed_and_files_fetched(
    shell: Shell, engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    shell.run("apply", write(tmp_path / "a.json"))
    run_id = json.loads(shell.run("run", "mill", "-p", "water=1", "--json").stdout)["run_id"]
    assert shell.run("outputs", run_id).exit_code != 0
    report = {"$file": "files:reports/ä b.csv", "size": 3, "media_type": "text/csv", "sha256": None}
    end_run(engine, run_id, outputs={"report": report, "name": "5"})
    (settings.home / "files" / "ada" / "reports").mkdir(parents=True)
    (settings.home / "files" / "ada" / "reports" / "ä b.csv").write_bytes(b"1\r\n")
    told = shell.run("outputs", "@last")
    assert json.loads(told.stdout) == {"report": report, "name": "5"}
    assert "files:reports/ä b.csv" in told.stderr
    assert shell.run("outputs", run_id, "name").stdout == "5\n"
    assert shell.run("outputs", run_id, "name", "--json").stdout == '"5"\n'
    assert shell.run("outputs", run_id, "other").exit_code != 0
    for what, folder in ((run_id, tmp_path / "x"), ("files:reports/ä b.csv", tmp_path / "y")):
        fetched = shell.run("download", what, "--to", str(folder))
        assert fetched.stdout == f"{folder}/reports/ä b.csv\n"
        assert (folder / "reports" / "ä b.csv").read_bytes() == b"1\r\n"
        assert [path.name for path in (folder / "reports").iterdir()] == ["ä b.csv"]
    for wrong in ("files:nothing.csv", "files:../../etc/passwd", "files:/etc/passwd"):
        assert shell.run("download", wrong, "--to", str(tmp_path / "z")).exit_code != 0
    assert [path for path in (tmp_path / "z").rglob("*") if path.is_file()] == []


def test_a_login_is_kept_for_its_owner_only_and_forgotten(ada: httpx.Client, address: str, tmp_path: Path) -> None:
    shell = Shell(address, ada)
    token, shell._environment = shell._environment["HEADRACE_TOKEN"], {"HEADRACE_HOME": str(tmp_path)}
    ada.post(f"{API}/graphs", json=document())
    assert shell.run("graphs").exit_code != 0
    wrong = shell.run("login", address, "--user", "ada", "--password-stdin", stdin="wrong\n")
    assert wrong.exit_code != 0
    assert not (tmp_path / "login.json").exists()
    for arguments, secret in ((["--user", "ada", "--password-stdin"], PASSWORD), (["--token-stdin"], token)):
        told = shell.run("login", f"{address}/", *arguments, stdin=f"{secret}\n")
        assert told.stderr == f"logged in at {address} as ada (editor); kept in {tmp_path}/login.json\n"
        assert stat.S_IMODE((tmp_path / "login.json").stat().st_mode) == 0o600
        assert shell.run("graphs").stdout.splitlines()[1].split()[:2] == ["mill", "ada"]
    assert PASSWORD not in (tmp_path / "login.json").read_text()
    assert shell.run("logout").exit_code == 0
    assert shell.run("graphs").exit_code != 0

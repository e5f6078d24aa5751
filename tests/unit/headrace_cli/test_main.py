"""The command as users start it: help, errors and exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

HEAVY = ["dagster", "fastapi", "sqlalchemy", "pydantic", "httpx", "networkx", "rich", "psutil"]


def headrace(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a home, with nothing of this process's own HEADRACE_ settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    environment |= {"HEADRACE_HOME": str(home), "COLUMNS": "200", **variables}
    command = [sys.executable, "-P", "-m", "headrace_cli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, input="")


def test_help_lists_every_command_without_loading_what_they_need(tmp_path: Path) -> None:
    assert headrace(tmp_path, "--help").returncode == 0
    code = (
        "import sys, headrace_cli.main as main\n"
        "main.app(['-h'], standalone_mode=False)\n"
        f"print([name for name in {HEAVY} if name in sys.modules])\n"
        "print(list(main.app.registered_commands))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.endswith("\n[]\n[]\n")
    assert {"apply", "diff", "download", "login", "secret", "up"} <= {
        line.split(" ")[2] for line in _rows(loaded.stdout)
    }


def _rows(page: str) -> list[str]:
    """The lines of the page of help that begin with the name of a command."""
    return [line for line in page.splitlines() if line.startswith("  ") and line[2].isalpha()]


def test_supervisor_loads_neither_dagster_nor_the_web_framework() -> None:
    code = "import sys, headrace_cli.up.running_stack, platform_core.database.postgres;"
    code += "import definitions.instance.instance_files;"
    code += "print([name for name in ('dagster', 'fastapi', 'sqlalchemy') if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout == "[]\n"


def test_no_running_server_is_an_error_with_a_hint(tmp_path: Path) -> None:
    result = headrace(tmp_path, "runs")
    assert result.returncode == 3
    assert result.stdout == ""
    assert result.stderr == (
        f"error: No `headrace up` runs in {tmp_path}.\n"
        "hint: Start one, name its home with --home or HEADRACE_HOME, or `headrace login URL` to a server.\n"
    )


def test_server_that_does_not_answer_is_an_error(tmp_path: Path) -> None:
    result = headrace(tmp_path, "graphs", HEADRACE_URL="http://127.0.0.1:1", HEADRACE_TOKEN="t")
    assert result.returncode == 3
    assert result.stderr.startswith("error: http://127.0.0.1:1 does not answer: ")


def test_missing_credentials_are_an_error(tmp_path: Path) -> None:
    result = headrace(tmp_path, "token")
    assert result.returncode == 4
    assert result.stderr.startswith(
        f"error: There are no credentials: HEADRACE_TOKEN is not set and {tmp_path}/admin.json"
    )


def test_missing_file_is_an_error_that_names_it_and_the_others_are_tried(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("spec_version: 1\nname: 5\n")
    result = headrace(tmp_path, "validate", "nowhere.yaml", str(tmp_path / "bad.yaml"))
    assert (result.returncode, result.stderr) == (
        2,
        "nowhere.yaml: error: nowhere.yaml cannot be read: No such file or directory.\n"
        "hint: Name a file, or - for stdin.\n",
    )
    assert f"{tmp_path}/bad.yaml:2:7: wrong_type: " in result.stdout


def test_version_is_printed(tmp_path: Path) -> None:
    result = headrace(tmp_path, "--version")
    assert (result.returncode, result.stdout) == (0, f"headrace {version('headrace')}\n")


def test_status_is_one_of_the_statuses(tmp_path: Path) -> None:
    result = headrace(tmp_path, "runs", "--status", "DONE")
    assert result.returncode == 2
    assert "QUEUED" in result.stderr.upper()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_and_choices(tmp_path: Path, shell: str) -> None:
    script = headrace(tmp_path, "completion", shell)
    assert script.returncode == 0
    assert "_HEADRACE_COMPLETE" in script.stdout
    asked = {"_HEADRACE_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": "headrace de", "COMP_CWORD": "1"}
    asked |= {"COMP_WORDS": "headrace de", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    answer = headrace(tmp_path, **asked)
    assert "delete" in answer.stdout
    assert "deliveries" in answer.stdout
    assert "disable" not in answer.stdout


@pytest.mark.parametrize(
    ("arguments", "start"),
    [
        (["run", "g", "--follow", "--wait", "3"], "error: --follow, --wait and --batch exclude each other."),
        (["login", "headrace.example"], "error: headrace.example is not the address of a server."),
        (["login", "https://ada:x@headrace.example"], "error: The address holds credentials."),
        (["login", "http://h", "--user", "a", "--token-stdin"], "error: --token-stdin excludes --user"),
        (["delete", "g"], "error: Deleting g needs --yes here."),
        (["validate", "--server", "--with", "a", "b"], "error: --server and --with exclude each other."),
    ],
    ids=str,
)
def test_a_command_line_that_cannot_be_meant_is_refused_before_anything_is_sent(
    tmp_path: Path, arguments: list[str], start: str
) -> None:
    result = headrace(tmp_path, *arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(start)


def test_wrong_setting_is_an_error_that_names_the_variable(tmp_path: Path) -> None:
    result = headrace(tmp_path, "up", HEADRACE_TOKEN_TTL="soon")
    assert result.returncode == 2
    assert result.stderr.startswith("error: The settings are wrong: HEADRACE_TOKEN_TTL: ")


def test_a_database_of_another_kind_is_an_error_without_its_password(tmp_path: Path) -> None:
    result = headrace(tmp_path, "migrate", HEADRACE_DATABASE_URL="mysql://ada:hidden@db/mill")
    assert result.returncode == 2
    assert result.stderr.startswith("error: The settings are wrong: HEADRACE_DATABASE_URL: ")
    assert result.stderr.endswith("hint: See docs/reference/settings.md.\n")
    assert "hidden" not in result.stderr


def test_follow_and_wait_exclude_each_other(tmp_path: Path) -> None:
    result = headrace(tmp_path, "run", "g", "--follow", "--wait", "3")
    assert (result.returncode, result.stderr) == (
        2,
        "error: --follow, --wait and --batch exclude each other.\nhint: Choose one of them.\n",
    )


@pytest.mark.parametrize("service", ["api", "daemon", "workers", "code-server", "ui", "migrate"])
def test_service_without_a_database_is_an_error(tmp_path: Path, service: str) -> None:
    result = headrace(tmp_path, service)
    assert result.returncode == 2
    assert result.stderr.startswith("error: There is no database: HEADRACE_DATABASE_URL is not set")

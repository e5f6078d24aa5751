"""The command as users start it: help, errors and exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ["dagster", "fastapi", "sqlalchemy", "pydantic", "httpx", "networkx", "rich.live"]


def headrace(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a home, with nothing of this process's own HEADRACE_ settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    environment |= {"HEADRACE_HOME": str(home), "COLUMNS": "200", **variables}
    command = [sys.executable, "-P", "-m", "headrace_cli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, input="")


def test_help_lists_every_command_without_loading_what_they_need(tmp_path: Path) -> None:
    assert headrace(tmp_path, "--help").returncode == 0
    code = f"import sys, headrace_cli.main; print([name for name in {HEAVY} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout == "[]\n"


def test_supervisor_loads_neither_dagster_nor_the_web_framework() -> None:
    code = "import sys, headrace_cli.commands.up, headrace_cli.home.configuration, platform_core.database.postgres, definitions.instance.instance_files;"
    code += "print([name for name in ('dagster', 'fastapi', 'sqlalchemy') if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout == "[]\n"


def test_no_running_server_is_an_error_with_a_hint(tmp_path: Path) -> None:
    result = headrace(tmp_path, "runs")
    assert result.returncode == 3
    assert result.stdout == ""
    assert result.stderr == (
        f"error: No `headrace up` runs in {tmp_path}.\n"
        "hint: Start one, name its home with --home or HEADRACE_HOME, or set HEADRACE_URL and HEADRACE_TOKEN.\n"
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


def test_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    result = headrace(tmp_path, "validate", "nowhere.yaml")
    assert (result.returncode, result.stderr) == (
        2,
        "error: nowhere.yaml cannot be read: No such file or directory.\nhint: Name a file, or - for stdin.\n",
    )


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

"""`headrace doctor` on real databases: what it says, and its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def _doctor(home: Path, database_url: str) -> tuple[int, dict[str, Any]]:
    variables = {"HEADRACE_HOME": str(home), "HEADRACE_DATABASE_URL": database_url, "HEADRACE_PORT": "0"}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "headrace_cli", "doctor", "--json"],
        env={**os.environ, **variables, "HEADRACE_UI_PORT": "0", "HEADRACE_ALLOW_WEAK_SANDBOX": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


def _of(said: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(finding for finding in said["findings"] if finding["name"] == name)
    return found


def test_a_database_at_our_revision_is_fine(tmp_path: Path, database_url: str) -> None:
    code, said = _doctor(tmp_path / "home", database_url)
    assert (code, said["must_mend"]) == (0, False)
    assert _of(said, "postgresql")["grade"] == "ok"
    assert _of(said, "revision")["grade"] == "ok"


def test_a_database_that_was_not_migrated_is_to_be_migrated(
    tmp_path: Path, create_database: Callable[[str | None], str]
) -> None:
    code, said = _doctor(tmp_path / "home", create_database(None))
    assert (code, said["must_mend"]) == (1, True)
    assert _of(said, "revision")["advice"] == "Run `headrace migrate`."


def test_a_database_that_is_away_is_to_be_started(tmp_path: Path) -> None:
    code, said = _doctor(tmp_path / "home", f"postgresql://nobody@/none?host={tmp_path}")
    assert code == 1
    assert _of(said, "postgresql")["grade"] == "mend"

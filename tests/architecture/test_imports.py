"""The import rules of pyproject.toml hold, and no package is outside them."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_import_contract_is_kept() -> None:
    # A process of its own: import-linter disables every logger that exists.
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_contracts_cover_every_package_that_is_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    patterns = project["setuptools"]["packages"]["find"]["include"]
    installed = {path.name for pattern in patterns for path in ROOT.glob(pattern) if (path / "__init__.py").exists()}
    assert set(project["importlinter"]["root_packages"]) == installed
    assert set(project["mypy"]["packages"]) == installed | {"tests", "benchmarks"}

"""The import rules of pyproject.toml hold, and no package is outside them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).parents[2]


def test_every_import_contract_is_kept(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    # import-linter finds its packages and keeps its cache relative to the working directory.
    monkeypatch.chdir(ROOT)
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_the_contracts_cover_every_package_that_is_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    installed = {name.partition(".")[0] for name in project["setuptools"]["packages"]}
    assert set(project["importlinter"]["root_packages"]) == installed
    assert set(project["mypy"]["packages"]) == installed

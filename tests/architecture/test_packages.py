"""What a wheel holds: all packages, and that they are typed; an editable installation cannot show that they miss."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def setuptools() -> dict[str, Any]:
    settings: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    return settings


def top_packages() -> set[str]:
    return {name.partition(".")[0] for name in setuptools()["packages"]}


def test_every_package_is_in_the_wheel() -> None:
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for top in top_packages()
        for path in (ROOT / top).rglob("__init__.py")
    }
    assert sorted(setuptools()["packages"]) == sorted(found)


def test_every_package_tells_type_checkers_that_it_is_typed() -> None:
    marked = {path.parent.name for path in ROOT.glob("*/py.typed")}
    assert marked == top_packages()
    assert "py.typed" in setuptools()["package-data"]["*"]

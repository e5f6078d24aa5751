"""What a wheel holds: all packages, and that they are typed; an editable installation cannot show that they miss."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST_MODULES = 20
DRIVER_USERS = {
    "definitions/daemon/daemon.py": "holds the advisory lock of the daemon that leads, on a connection of its own",
    "definitions/daemon/notifications.py": "listens on a connection of its own",
    "definitions/journal/connection.py": "sends the journal by prepared statements, with patience of its own",
    "definitions/workers/run_claim.py": "holds the lock of a run's pod, on a connection of its own",
    "stream_api/following/event_log.py": "reads events asynchronously",
    "stream_api/serving/streams.py": "makes the asynchronous connections of the two",
}
"""Modules outside `platform_core` that import the database's driver, each with the reason."""


def tops() -> list[Path]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["packages"]["find"]["include"]
    return [path for pattern in patterns for path in sorted(ROOT.glob(pattern)) if (path / "__init__.py").exists()]


def folders() -> list[Path]:
    """Every folder below the packages that holds a module."""
    return sorted({module.parent for top in tops() for module in top.rglob("*.py")})


def test_every_folder_of_modules_is_a_package_and_so_in_the_wheel() -> None:
    assert [str(folder) for folder in folders() if not (folder / "__init__.py").exists()] == []


def rooms() -> list[Path]:
    """Every folder of the repository that holds a module, hidden ones and what was built left out."""
    built = {"build", "dist", "node_modules"}
    tops = [top for top in ROOT.iterdir() if top.is_dir() and not top.name.startswith(".") and top.name not in built]
    return sorted({module.parent for top in tops for module in top.rglob("*.py")})


def test_no_room_holds_more_modules_than_a_reader_can_keep_in_mind() -> None:
    counts = {
        str(room.relative_to(ROOT)): len([module for module in room.glob("*.py") if module.name != "__init__.py"])
        for room in rooms()
    }
    assert {"benchmarks/scenarios", "examples", "tests/e2e"} <= set(counts)
    assert {room: count for room, count in counts.items() if count > MOST_MODULES} == {}


def test_the_driver_of_the_database_is_used_outside_the_platform_only_where_a_pool_will_not_do() -> None:
    modules = [module for top in tops() if top.name != "platform_core" for module in sorted(top.rglob("*.py"))]
    found = {
        str(module.relative_to(ROOT))
        for module in modules
        if re.search(r"^(?:import|from) psycopg(?:_pool)?\b", module.read_text(), re.MULTILINE)
    }
    assert found == set(DRIVER_USERS)


def test_every_package_tells_type_checkers_that_it_is_typed() -> None:
    marked = {path.parent.name for path in ROOT.glob("*/py.typed")}
    assert marked == {top.name for top in tops()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "py.typed" in project["tool"]["setuptools"]["package-data"]["*"]


def test_every_package_is_in_the_images() -> None:
    copied = (ROOT / "deploy" / "docker" / "Dockerfile").read_text().splitlines()
    let_through = (ROOT / ".dockerignore").read_text().splitlines()
    for top in tops():
        assert f"COPY {top.name} {top.name}" in copied
        assert f"!{top.name}" in let_through

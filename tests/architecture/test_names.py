"""Names say what a thing is: no manager, no helper, no drawer of utilities."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FORBIDDEN = frozenset({"manager", "managers", "helper", "helpers", "util", "utils", "handler", "handlers"})
FORCED = {
    "trigger_api/webhooks/endpoints.py: get_route_handler": "FastAPI's method that a route overrides",
    "platform_core/web/strict_json.py: get_route_handler": "FastAPI's method that a route overrides",
}
"""Names a framework chose for us, each with the reason."""


def packages() -> list[Path]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    tops = [name.rstrip("*") for name in project["tool"]["setuptools"]["packages"]["find"]["include"]]
    return [path.parent for top in tops for path in ROOT.glob(f"{top}*/**/__init__.py")]


def words(name: str) -> set[str]:
    """`EventHandlerV2` and `event_handler` both hold the word `handler`."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def names_in(module: Path) -> Iterator[str]:
    """The module's own name and those of its classes and functions."""
    yield module.stem
    for node in ast.walk(ast.parse(module.read_bytes())):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("RunManager", {"run", "manager"}),
        ("io_managers", {"io", "managers"}),
        ("HTTPHandler", {"http", "handler"}),
        ("unhandled", {"unhandled"}),
    ],
)
def test_names_are_split_into_words(name: str, expected: set[str]) -> None:
    assert words(name) == expected


def test_no_module_class_or_function_is_a_manager_helper_utility_or_handler() -> None:
    found = {
        f"{module.relative_to(ROOT)}: {name}"
        for package in packages()
        for module in package.glob("*.py")
        for name in names_in(module)
        if words(name) & FORBIDDEN
    }
    assert found == set(FORCED)

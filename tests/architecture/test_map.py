"""docs/map.md is true: what its tables name exists, and each picture shows the rooms of its table."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAP = (ROOT / "docs" / "map.md").read_text()
PACKAGES = "definitions|graph_compiler|graph_engine|headrace|headrace_cli|platform_core|stream_api|trigger_api"
SECTIONS = {part.splitlines()[0]: part for part in MAP.split("\n## ")[1:]}


def named(text: str) -> list[str]:
    """The modules, classes and functions that a text names in backticks, dotted."""
    return re.findall(rf"`((?:{PACKAGES})(?:\.\w+)+)`", text)


def module_of(name: str) -> tuple[Path, list[str]]:
    """The file of the longest beginning of the name that is a module, and the names within it."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        file = ROOT.joinpath(*parts[:length]).with_suffix(".py")
        if file.is_file():
            return file, parts[length:]
    raise LookupError(name)


def defines(body: list[ast.stmt], names: list[str]) -> bool:
    """Whether the code defines, or imports, the first name, that one the second, and so on."""
    if not names:
        return True
    for statement in body:
        if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and statement.name == names[0]:
            return defines(statement.body, names[1:])
        if isinstance(statement, ast.Assign | ast.AnnAssign | ast.ImportFrom) and len(names) == 1:
            targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
            aliases = statement.names if isinstance(statement, ast.ImportFrom) else []
            found = [target.id for target in targets if isinstance(target, ast.Name)] + [each.name for each in aliases]
            if names[0] in found:
                return True
    return False


def exists(name: str) -> bool:
    try:
        file, within = module_of(name)
    except LookupError:
        return False
    return defines(ast.parse(file.read_bytes()).body, within)


def test_all_five_travels_are_drawn() -> None:
    assert [title.partition(":")[0] for title in SECTIONS] == ["A graph", "A run", "A call", "An event", "A tick"]
    assert all("```mermaid" in section and named(section) for section in SECTIONS.values())


@pytest.mark.parametrize("title", SECTIONS)
def test_every_module_and_function_of_the_map_exists(title: str) -> None:
    assert [name for name in named(SECTIONS[title]) if not exists(name)] == []


@pytest.mark.parametrize("title", SECTIONS)
def test_the_picture_shows_the_rooms_of_the_table(title: str) -> None:
    drawn = set(re.findall(rf'\["((?:{PACKAGES})(?:/[\w/]+)?)"\]', SECTIONS[title]))
    hops = re.findall(rf"^\| `((?:{PACKAGES})(?:\.\w+)+)` \|", SECTIONS[title], re.MULTILINE)
    assert drawn == {str(module_of(hop)[0].parent.relative_to(ROOT)) for hop in hops}


def test_a_name_that_does_not_exist_is_noticed() -> None:
    assert not exists("trigger_api.graphs.saving.lose")
    assert not exists("trigger_api.graphs.no_such_module")
    assert exists("trigger_api.graphs.saving")

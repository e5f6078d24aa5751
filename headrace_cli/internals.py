"""Which modules use Dagster's private names, and for what: the page to read before Dagster is upgraded."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import definitions

ROOT = Path(definitions.__path__[0]).parent
PACKAGES = ("definitions", "graph_compiler", "headrace_cli")
"""The packages that may import Dagster."""
_PRIVATE = re.compile(r"dagster\w*(\.\w+)*\._\w+(\.\w+)*")
_PURPOSE = re.compile(r"\bInternals?\s(?:used|replaced|touched)\b[^:]*:\s.*?(?=\n\n|\Z)", re.DOTALL)


@dataclass(frozen=True)
class PrivateUse:
    """One of our modules, with the private modules of Dagster that it names and what it says it does with them."""

    module: str
    names: tuple[str, ...]
    purpose: str | None


def private_uses(root: Path = ROOT) -> list[PrivateUse]:
    """Every module of ours that names a private module of Dagster or says that it uses internals, ordered by name."""
    found = []
    for path in sorted(path for package in PACKAGES for path in (root / package).rglob("*.py")):
        tree = ast.parse(path.read_bytes())
        names, purpose = tuple(sorted(set(_private_names(tree)))), _purpose(tree)
        if names or (purpose and _imports_dagster(tree)):
            found.append(PrivateUse(str(path.relative_to(root)), names, purpose))
    return found


def _private_names(tree: ast.Module) -> Iterator[str]:
    """The full name of each import, and of each module that is named in a text to be imported later."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and _PRIVATE.fullmatch(node.module):
            for alias in node.names:
                yield f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if _PRIVATE.fullmatch(alias.name))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _PRIVATE.fullmatch(node.value):
            yield node.value


def _imports_dagster(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dagster") for node in ast.walk(tree)
    )


def _purpose(tree: ast.Module) -> str | None:
    """The paragraph of the module's docstring that begins with "Internals used:", or the rest of one."""
    said = _PURPOSE.search(inspect.cleandoc(ast.get_docstring(tree) or ""))
    return None if said is None else " ".join(said[0].split())


def page(uses: list[PrivateUse]) -> str:
    """The page in Markdown."""
    lines = [
        "# Dagster's internals",
        "",
        "Modules that use names which Dagster keeps to itself. `make docs` writes this from their imports and what",
        "each says about itself. Dagster may change them in any release, so its minor version is pinned. The recipe",
        "for an upgrade is in [CONTRIBUTING](../../CONTRIBUTING.md#upgrade-dagster).",
    ]
    for use in uses:
        lines += ["", f"## `{use.module}`", "", use.purpose or "", "", *(f"- `{name}`" for name in use.names)]
    return "\n".join(lines) + "\n"

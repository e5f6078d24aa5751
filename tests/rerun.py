"""`make watch`: at each change the unit tests that it concerns, until Ctrl+C."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from watchfiles import PythonFilter, watch

ROOT = Path(__file__).parents[1]
UNIT = Path("tests") / "unit"


def concerned(changed: Path, root: Path = ROOT) -> set[Path]:
    """The unit tests to run after this file changed, as paths below `root`: itself, or those that name its module.

    A file under tests/unit that is no test concerns its folder; a module that no test names, the tests of its package.
    """
    if changed.is_relative_to(UNIT):
        return {changed if changed.name.startswith("test_") else changed.parent}
    if changed.parts[0] == "tests":
        return set()
    mirrored = UNIT / changed.with_name(f"test_{changed.name}")
    named = {mirrored} if (root / mirrored).exists() else set()
    naming = _naming(changed)
    named |= {path.relative_to(root) for path in (root / UNIT).rglob("*.py") if naming.search(path.read_text())}
    tests = {path for path in named if path.name.startswith("test_")}
    package = UNIT / changed.parts[0]
    return tests or ({package} if (root / package).exists() else set())


def _naming(module: Path) -> re.Pattern[str]:
    """`a.b.c` as a text, or `from a.b import …, c`."""
    name = ".".join(module.with_suffix("").parts)
    package, _, last = name.rpartition(".")
    imported = rf"|from {re.escape(package)} import [^\n]*\b{re.escape(last)}\b" if package else ""
    return re.compile(rf"\b{re.escape(name)}\b{imported}")


def run(tests: Iterable[Path]) -> None:
    """Run these tests; what they say goes to the terminal."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", *sorted(map(str, tests))]
    print("\n$", " ".join(["pytest", *command[3:]]), flush=True)  # noqa: T201 - a program of the terminal
    subprocess.run(command, cwd=ROOT, check=False)


def main() -> None:
    folders = [path.parent for path in ROOT.glob("*/__init__.py")]
    for changes in watch(*folders, watch_filter=PythonFilter(), raise_interrupt=False):
        changed = {Path(name).relative_to(ROOT) for _, name in changes}
        if tests := {test for path in changed for test in concerned(path) if (ROOT / test).exists()}:
            run(tests)


if __name__ == "__main__":
    main()

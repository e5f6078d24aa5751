"""`headrace validate` on every seeded defect, offline."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

GRAPHS = Path(__file__).parents[1] / "graphs"
LINE = re.compile(r"(?P<file>.+?):(?P<line>\d+):(?P<column>\d+): (?P<code>[a-z0-9_]+): (?P<message>.+)")


def validate(*paths: Path, as_json: bool = False) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    command = [
        sys.executable,
        "-P",
        "-m",
        "headrace_cli",
        "validate",
        *(["--json"] if as_json else []),
        *map(str, paths),
    ]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def documents(kind: str) -> list[Path]:
    """The documents of a shelf."""
    return sorted((GRAPHS / kind).iterdir())


def test_every_seeded_defect_is_printed_with_its_place_and_code() -> None:
    paths = documents("invalid")
    done = validate(*paths)
    assert done.returncode == 1
    assert done.stderr == ""
    found: dict[str, set[str]] = {}
    for text in done.stdout.splitlines():
        match = LINE.fullmatch(text)
        assert match is not None, text
        found.setdefault(Path(match["file"]).name, set()).add(match["code"])
    expected = {path.name: path.name.partition("__")[0] for path in paths}
    assert {name: code for name, code in expected.items() if code not in found.get(name, set())} == {}


def test_valid_documents_print_no_issue() -> None:
    paths = documents("valid")
    done = validate(*paths)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"{len(paths)} valid\n")


def test_json_tells_every_file_and_issue() -> None:
    paths = documents("invalid")
    results = json.loads(validate(*paths, as_json=True).stdout)
    assert [result["file"] for result in results] == [str(path) for path in paths]
    assert [result["valid"] for result in results] == [False] * len(paths)

"""`headrace validate` on every seeded defect, offline."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

GRAPHS = Path(__file__).parents[1] / "graphs"
NEEDS_A_SERVER = {"unknown_graph", "unknown_version"}
LINE = re.compile(r"(?P<file>.+?):(?P<line>\d+):(?P<column>\d+): (?P<code>[a-z0-9_]+): (?P<message>.+)")


def validate(*paths: Path, called: Sequence[Path] = (), as_json: bool = False) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    command = [
        sys.executable,
        "-P",
        "-m",
        "headrace_cli",
        "validate",
        *(["--json"] if as_json else []),
        *map(str, paths),
        *(f"--with={path}" for path in called),
    ]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def documents(kind: str) -> list[Path]:
    """The documents of a shelf."""
    return sorted((GRAPHS / kind).iterdir())


def test_every_seeded_defect_is_printed_with_its_place_and_code() -> None:
    paths = documents("invalid")
    done = validate(*paths, called=documents("called"))
    assert done.returncode == 1
    assert {line.partition(": ")[2].partition(": ")[0] for line in done.stderr.splitlines()} == {"note"}
    found: dict[str, set[str]] = {}
    for text in done.stdout.splitlines():
        match = LINE.fullmatch(text)
        assert match is not None, text
        found.setdefault(Path(match["file"]).name, set()).add(match["code"])
    expected = {path.name: path.name.partition("__")[0] for path in paths}
    expected = {name: code for name, code in expected.items() if code not in NEEDS_A_SERVER}
    assert {name: code for name, code in expected.items() if code not in found.get(name, set())} == {}


def test_valid_documents_print_no_issue() -> None:
    paths = documents("valid")
    done = validate(*paths, called=documents("called"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"{len(paths)} valid\n")


def test_calls_of_graphs_that_are_not_given_are_noted() -> None:
    path = GRAPHS / "valid" / "call_graph.yaml"
    note = f"{path}:5:50: note: the graph `divide` is not known here, so calls of it are not checked\n"
    done = validate(path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"{note}1 valid\n")
    (result,) = json.loads(validate(path, as_json=True).stdout)
    assert [found["path"] for found in result["notes"]] == ["/nodes/1/config/graph"]


def test_json_tells_every_file_and_issue() -> None:
    paths = documents("invalid")
    results = json.loads(validate(*paths, called=documents("called"), as_json=True).stdout)
    assert [result["file"] for result in results] == [str(path) for path in paths]
    assert [Path(result["file"]).stem for result in results if result["valid"]] == ["unknown_version__beyond"]

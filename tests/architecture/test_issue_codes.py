"""docs/reference/issue-codes.md says of every issue code what the code itself says."""

from __future__ import annotations

import re
from pathlib import Path

from graph_compiler.language.issues import CODES

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "issue-codes.md"
FOUND_OUTSIDE = {"name_mismatch"}


def test_every_code_is_documented_in_its_words_and_no_other() -> None:
    documented = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE.read_text(), re.MULTILINE))
    assert {code: meaning.split(" Example: ")[0] for code, meaning in documented.items()} == CODES


def test_every_example_named_exists() -> None:
    for path in re.findall(r"\]\((\.\./\.\./tests/graphs/[^)]+)\)", PAGE.read_text()):
        assert (PAGE.parent / path).is_file()


def test_every_code_is_used() -> None:
    sources = [path for path in (ROOT / "graph_compiler").rglob("*.py") if path.name != "issues.py"]
    text = "\n".join(path.read_text() for path in sources)
    assert {code for code in CODES if f'"{code}"' not in text} == FOUND_OUTSIDE

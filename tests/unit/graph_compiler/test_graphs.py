"""The documents of tests/graphs: valid ones compile, invalid ones have exactly their issues.

What the valid ones answer and tell is in tests/integration/definitions/test_documents.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from graph_compiler.checking.validation import check
from graph_compiler.jobs.compilation import compile_job
from graph_compiler.language.issues import CODES, Issue
from graph_compiler.language.loading import Syntax
from headrace_cli.terminal.issue_lines import issue_line
from tests.called_graphs import shelf

GRAPHS = Path(__file__).parents[2] / "graphs"
EXAMPLES = Path(__file__).parents[3] / "examples"
VALID = sorted((GRAPHS / "valid").iterdir())
INVALID = sorted((GRAPHS / "invalid").iterdir())


def syntax_of(path: Path) -> Syntax:
    return "json" if path.suffix == ".json" else "yaml"


def line_of(name: str, issue: Issue) -> str:
    place = f" [{issue.path}]" if issue.path else ""
    return issue_line(name, issue.as_dict()) + place


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_valid_document_has_no_issue_and_compiles(path: Path) -> None:
    checked = check(path.read_bytes(), syntax=syntax_of(path), library=shelf())
    assert checked.issues == ()
    assert checked.spec is not None
    compile_job(checked.spec, name="test__graph", library=shelf())


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.name)
def test_invalid_document_has_exactly_its_issues(path: Path) -> None:
    issues = check(path.read_bytes(), syntax=syntax_of(path), library=shelf()).issues
    expected = (GRAPHS / "expected_issues" / f"{path.stem}.issues").read_text().splitlines()
    assert [line_of(path.name, issue) for issue in issues] == expected
    assert path.name.partition("__")[0] in {issue.code for issue in issues}


def test_every_code_has_an_invalid_document() -> None:
    elsewhere = {
        "too_large",  # a file of that size does not belong into the repository: test_loading, test_validation
        "name_mismatch",  # found by the API, which knows the name a document is saved under
    }
    assert {path.name.partition("__")[0] for path in INVALID} | elsewhere == set(CODES)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_example_has_no_issue(path: Path) -> None:
    assert check(path.read_bytes(), syntax="yaml").issues == ()

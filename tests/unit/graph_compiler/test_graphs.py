"""The documents of tests/graphs: valid ones run and answer what they must, invalid ones have exactly their issues."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graph_compiler import params
from graph_compiler.issues import CODES, format_issue
from graph_compiler.loading import Syntax
from graph_compiler.runtime import HttpAnswer
from graph_compiler.testing import MemoryRuntime, memory_job
from graph_compiler.validation import check
from tests.unit.graph_compiler.node_outputs import NODE_OUTPUTS

GRAPHS = Path(__file__).parents[2] / "graphs"
EXAMPLES = Path(__file__).parents[3] / "examples"
INVALID = sorted((GRAPHS / "invalid").iterdir())
ANSWERED = HttpAnswer(200, {"X-Page": "1"}, [{"name": "octo"}, {"name": "cat"}])

OUTPUTS: dict[str, Any] = {
    "chain": {"result": 3},
    "delay_and_after": {"value": "ready", "last": "done"},
    "diamond": {"all": [1, 2, 3]},
    "http_request": {"names": ["octo", "cat"], "status": 200},
    "params_nested_defaults": {"shown": "5 day"},
    "params_open": {"total": 0},
    "python_any_input": {"total": 3},
    "python_args_from_inputs": {"label": "3 KG"},
    "python_typed_ports": {"total": 12},
    "reserved_words": {"sum": 4},
    "smallest": None,
    "templates": {
        "shapes": {
            "kept": [{"name": "a", "size": 3, "items": [1]}, {"name": "b", "size": 20, "items": []}],
            "large": ["b"],
            "key_not_method": [1],
            "text": '2 rows, first {"name": "a", "size": 3, "items": [1]}',
            "looped": "a-b",
            "braces": "{{",
        },
        "run": "test",
        "kind": "manual",
    },
    "timers": {"day": "2026-01-01"},
    "webhook": {"action": "opened"},
    "yaml_core_schema": {
        "all": [
            {
                "date": "2020-01-31",
                "country": "no",
                "on": "off",
                "octal": 15,
                "hex": 31,
                "plus": 1,
                "tilde": None,
                "float": 1000.0,
            },
            [1, 2],
            [1, 2],
        ]
    },
}
OUTPUTS |= NODE_OUTPUTS
GIVEN = {"timers": {"day": "2026-01-01"}, "webhook": {"action": "opened"}}


def syntax_of(path: Path) -> Syntax:
    return "json" if path.suffix == ".json" else "yaml"


EXECUTED = {path.stem for path in (GRAPHS / "expected").iterdir()}
"""Executed with their stories by tests/integration/definitions/test_documents.py."""
ALONE = sorted(path for path in (GRAPHS / "valid").iterdir() if path.stem in OUTPUTS)


def test_every_valid_document_says_what_it_answers() -> None:
    assert {path.stem for path in (GRAPHS / "valid").iterdir()} == {*OUTPUTS, *EXECUTED}


@pytest.mark.parametrize("path", ALONE, ids=lambda path: path.stem)
def test_valid_document_runs_to_its_outputs(path: Path) -> None:
    checked = check(path.read_bytes(), syntax=syntax_of(path))
    assert checked.issues == ()
    assert checked.spec is not None
    applied, issues = params.apply(checked.spec, GIVEN.get(path.stem, {}))
    assert issues == []
    runtime = MemoryRuntime(params=applied, secrets={"api_token": "t0k3n"}, answer=lambda method, url: ANSWERED)
    result = memory_job(checked.spec, runtime).execute_in_process()
    if OUTPUTS[path.stem] is not None:
        assert result.output_for_node("outputs_", "outputs") == OUTPUTS[path.stem]


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.name)
def test_invalid_document_has_exactly_its_issues(path: Path) -> None:
    issues = check(path.read_bytes(), syntax=syntax_of(path)).issues
    expected = (GRAPHS / "expected_issues" / f"{path.stem}.issues").read_text().splitlines()
    assert [format_issue(path.name, issue) for issue in issues] == expected
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

"""The tests of one document: found, chosen and run, each mismatch placed in the document's text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from definitions.sandbox.interpreter import CodeInterpreter
from graph_compiler.checking.validation import check
from graph_compiler.language.library import Calls, GraphLibrary
from graph_compiler.language.loading import load
from graph_compiler.language.positions import Positions
from graph_compiler.nodes.node_type import NodeTypes
from graph_compiler.running.graph_node import with_calls
from headrace_cli.documents.sources import Source
from headrace_cli.graph_tests.execution import Verdict, run_test


@dataclass(frozen=True)
class Suite:
    """What became of a document's tests; one with issues has none that could run."""

    file: str
    graph: str | None
    verdicts: tuple[Verdict, ...] = ()
    issues: tuple[Mapping[str, Any], ...] = ()
    rows: Mapping[str, int] = field(default_factory=dict)
    """In which row of `tests` each test stands."""
    positions: Positions = field(default_factory=lambda: Positions(""))

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong with the document and all of its tests that ran passed."""
        return not self.issues and all(verdict.status == "passed" for verdict in self.verdicts)

    def count(self, status: str) -> int:
        """How many tests ended so."""
        return sum(verdict.status == status for verdict in self.verdicts)

    def place(self, test: str, path: str = "") -> tuple[int, int]:
        """Line and column of a test, or of an expectation of it."""
        at = f"/tests/{self.rows[test]}"
        return self.positions.of(f"{at}/expect{path}" if path else f"{at}/name")

    def as_dict(self) -> dict[str, Any]:
        """The suite in the words of JUnit's reports."""
        return {
            "file": self.file,
            "name": self.graph,
            "tests": len(self.verdicts),
            "failures": self.count("failed"),
            "errors": self.count("error"),
            "time": round(sum(verdict.seconds for verdict in self.verdicts), 3),
            "issues": list(self.issues),
            "cases": [self._case(verdict) for verdict in self.verdicts],
        }

    def _case(self, verdict: Verdict) -> dict[str, Any]:
        line, column = self.place(verdict.name)
        failures = [
            {"place": each.place, "message": each.message, "line": at[0], "column": at[1]}
            for each in verdict.mismatches
            for at in [self.place(verdict.name, each.path)]
        ]
        return {
            "name": verdict.name,
            "classname": self.graph,
            "status": verdict.status,
            "time": round(verdict.seconds, 3),
            "line": line,
            "column": column,
            "failures": failures,
            "errors": list(verdict.errors),
        }


def run_suite(
    source: Source,
    only: Sequence[str],
    node_types: NodeTypes,
    library: GraphLibrary,
    interpreter: CodeInterpreter,
    timeout: float,
) -> Suite:
    """Check the document and run its tests, or those of these names."""
    checked = check(source.content, syntax=source.syntax, node_types=node_types, library=library)
    if checked.spec is None:
        return Suite(source.name, None, issues=tuple(issue.as_dict() for issue in checked.issues))
    types = with_calls(node_types, Calls(library))
    chosen = [test for test in checked.spec.tests if not only or test.name in only]
    return Suite(
        source.name,
        checked.spec.name,
        tuple(run_test(checked.spec, test, types, interpreter, timeout) for test in chosen),
        rows={test.name: row for row, test in enumerate(checked.spec.tests)},
        positions=load(source.content, syntax=source.syntax).positions,
    )

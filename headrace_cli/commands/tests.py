"""The command that runs the tests of graph documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from headrace_cli.commands.graphs import Files
from headrace_cli.commands.options import AsJson
from headrace_cli.documents.sources import read_source
from headrace_cli.terminal.errors import CommandError
from headrace_cli.terminal.event_lines import printable
from headrace_cli.terminal.exit_codes import ExitCode
from headrace_cli.terminal.issue_lines import issue_line
from headrace_cli.terminal.terminal import note, say, say_json

if TYPE_CHECKING:
    from headrace_cli.graph_tests.execution import Verdict
    from headrace_cli.graph_tests.suite import Suite


def run_tests(
    files: Files,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="NAME", help="Run the test of this name; repeatable.")
    ] = None,
    called: Annotated[
        list[str] | None, typer.Option("--with", metavar="FILE", help="A graph that the documents call; repeatable.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds that one test may take.")] = 60.0,
    as_json: AsJson = False,
) -> None:
    """Run the tests that graph documents carry, here and without a server; exit code 1 if any does not pass.

    Code runs in its sandbox; a node that would reach the world needs a stand-in, and delays take no time. Prints
    `file:line:column: place: message` for what was expected and did not come.
    """
    suites = _run(files, only or [], called or [], timeout)
    known = {verdict.name for suite in suites for verdict in suite.verdicts}
    missing = [name for name in only or [] if name not in known]
    if missing and not any(suite.issues for suite in suites):
        raise CommandError(f"There is no test {missing[0]!r}.", hint="Name a test as its document does, in `tests`.")
    if as_json:
        say_json(_report(suites))
    else:
        for suite in suites:
            _say(suite)
        note(_summary(suites))
    if not all(suite.is_good for suite in suites):
        raise typer.Exit(ExitCode.FAILED)


def _run(files: list[str], only: list[str], called: list[str], timeout: float) -> list[Suite]:
    from definitions.sandbox.interpreter import CodeInterpreter
    from headrace_cli.documents.files_library import FilesLibrary
    from headrace_cli.graph_tests.suite import run_suite
    from headrace_cli.serve.extensions import installed_node_types

    library, node_types = FilesLibrary(), installed_node_types(containers=True)
    for path in called:
        library.add(read_source(path))
    sources = [read_source(path) for path in files]
    with CodeInterpreter() as interpreter:
        return [run_suite(source, only, node_types, library, interpreter, timeout) for source in sources]


def _say(suite: Suite) -> None:
    for issue in suite.issues:
        say(issue_line(suite.file, issue))
    if suite.graph is not None and not suite.rows:
        note(f"{suite.file}: no tests")
    for verdict in suite.verdicts:
        say(f"{verdict.status:<6}  {suite.graph}: {printable(verdict.name)}")
        for line in _lines(suite, verdict):
            say(f"        {printable(line)}")


def _lines(suite: Suite, verdict: Verdict) -> list[str]:
    found = [(suite.place(verdict.name), message) for message in verdict.errors]
    found += [(suite.place(verdict.name, each.path), f"{each.place}: {each.message}") for each in verdict.mismatches]
    texts = [f"{suite.file}:{line}:{column}: {message}" for (line, column), message in found]
    return [line for text in texts for line in text.split("\n")]


def _report(suites: list[Suite]) -> dict[str, object]:
    reported = [suite.as_dict() for suite in suites]
    sums = {key: sum(suite[key] for suite in reported) for key in ("tests", "failures", "errors")}
    return {**sums, "time": round(sum(suite["time"] for suite in reported), 3), "suites": reported}


def _summary(suites: list[Suite]) -> str:
    counts = {"passed": "passed", "failed": "failed", "error": "with errors"}
    words = [f"{sum(suite.count(status) for suite in suites)} {word}" for status, word in counts.items()]
    invalid = sum(bool(suite.issues) for suite in suites)
    return ", ".join(words) + (f", {invalid} not valid" if invalid else "")

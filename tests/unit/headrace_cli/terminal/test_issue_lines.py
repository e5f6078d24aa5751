"""Issues as compilers print them."""

from __future__ import annotations

from headrace_cli.terminal.issue_lines import issue_line


def test_issue_has_place_code_message_and_hint() -> None:
    issue = {"code": "cycle", "message": "a -> b\n-> a", "line": 4, "column": 7, "hint": "remove one"}
    assert issue_line("g.yaml", issue) == "g.yaml:4:7: cycle: a -> b -> a (remove one)"


def test_issue_without_a_place_stands_at_the_beginning() -> None:
    issue = {"code": "too_large", "message": "2 MiB", "line": None, "column": None, "hint": None}
    assert issue_line("g.yaml", issue) == "g.yaml:1:1: too_large: 2 MiB"

"""A node that asks for more of the network than the operator allows is an issue at its place."""

from __future__ import annotations

from graph_compiler.checking.validation import check
from graph_compiler.nodes.network import Network

DOCUMENT = """\
spec_version: 1
name: reaching
nodes:
  - { id: silent, type: shell, config: { script: "true" } }
  - { id: quiet, type: python, config: { network: none, code: "def main(): pass" } }
  - { id: public, type: shell, config: { network: public, script: "true" } }
  - id: free
    type: python
    config: { code: "def main(): pass", network: all }
"""


def _issues(most: Network) -> list[tuple[str, str, int | None]]:
    return [(issue.code, issue.path, issue.line) for issue in check(DOCUMENT, syntax="yaml", code_network=most).issues]


def test_all_may_be_asked_for_unless_the_operator_says_less() -> None:
    assert _issues(Network.ALL) == []
    assert check(DOCUMENT, syntax="yaml").issues == ()


def test_what_is_beyond_the_most_is_an_issue() -> None:
    assert _issues(Network.PUBLIC) == [("unavailable", "/nodes/3/config/network", 9)]
    assert _issues(Network.NONE) == [
        ("unavailable", "/nodes/2/config/network", 6),
        ("unavailable", "/nodes/3/config/network", 9),
    ]


def test_another_word_is_an_issue() -> None:
    (issue,) = check(DOCUMENT.replace("network: none", "network: some"), syntax="yaml").issues
    assert issue.path == "/nodes/1/config/network"

"""What an owner's code gets of the network, and whether it runs on a machine that cannot contain it."""

from __future__ import annotations

from typing import Any

import pytest

from definitions.sandbox.machine import Machine
from definitions.services.code_rules import CodeRules
from graph_compiler.nodes.network import Network
from graph_compiler.values.errors import NodeError
from platform_core.settings import Settings

STRONG = Machine(has_own_users=True, has_namespaces=False, landlock=7, knows_calls=True)
WEAK = Machine(has_own_users=False, has_namespaces=False, landlock=7, knows_calls=True)


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("definitions.services.code_rules.examine", lambda: STRONG)


def _rules(owner: str = "ann", **settings: Any) -> CodeRules:
    return CodeRules.of(Settings(**settings), owner)


@pytest.mark.parametrize(
    ("default", "most", "asked", "given"),
    [
        ("all", "all", None, Network.ALL),
        ("none", "all", None, Network.NONE),
        ("none", "all", Network.ALL, Network.ALL),
        ("all", "public", None, Network.PUBLIC),
        ("all", "public", Network.NONE, Network.NONE),
    ],
)
def test_code_gets_what_it_asks_for_or_the_operators_default(
    default: str, most: str, asked: Network | None, given: Network
) -> None:
    assert _rules(code_network=default, code_network_most=most).admit(asked) is given


def test_a_version_saved_before_the_most_was_lowered_is_refused_when_it_runs() -> None:
    with pytest.raises(NodeError, match="network_refused: the operator allows"):
        _rules(code_network_most="none").admit(Network.PUBLIC)


class TestWeakMachine:
    @pytest.fixture(autouse=True)
    def weak(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("definitions.services.code_rules.examine", lambda: WEAK)

    def test_code_of_other_owners_is_refused(self) -> None:
        with pytest.raises(NodeError, match=r"sandbox_weak: .*HEADRACE_ALLOW_WEAK_SANDBOX") as refused:
            _rules().admit(None)
        assert not refused.value.retryable

    def test_code_of_the_first_administrator_runs(self) -> None:
        assert _rules("admin").admit(None) is Network.ALL

    def test_the_operator_may_allow_it(self) -> None:
        assert _rules(allow_weak_sandbox=True).admit(None) is Network.ALL

    def test_a_pod_has_one_run_alone(self) -> None:
        assert _rules(launcher="kubernetes").admit(None) is Network.ALL

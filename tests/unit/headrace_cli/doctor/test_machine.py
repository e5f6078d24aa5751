"""What a machine lacks for the sandbox is found, and graded by what the operator says."""

from __future__ import annotations

import pytest

from definitions.sandbox.machine import Machine
from headrace_cli.doctor import machine
from headrace_cli.doctor.finding import Finding, Grade
from platform_core.settings import Settings

STRONG = Machine(has_own_users=True, has_namespaces=True, landlock=7, knows_calls=True)
WEAK = Machine(has_own_users=False, has_namespaces=False, landlock=7, knows_calls=True)


def _found(monkeypatch: pytest.MonkeyPatch, found: Machine, *, allowed: bool = False) -> list[Finding]:
    monkeypatch.setattr(machine, "examine", lambda: found)
    return [*machine.examine_machine(Settings(allow_weak_sandbox=allowed))]


def test_nothing_is_to_be_mended_on_a_machine_that_can_contain_code(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [finding for finding in _found(monkeypatch, STRONG) if finding.grade is Grade.MEND] == []


def test_a_weak_sandbox_is_to_be_mended_unless_it_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    (finding,) = [finding for finding in _found(monkeypatch, WEAK) if finding.grade is Grade.MEND]
    assert "share a user" in finding.said
    assert "HEADRACE_ALLOW_WEAK_SANDBOX" in (finding.advice or "")
    assert [finding for finding in _found(monkeypatch, WEAK, allowed=True) if finding.grade is Grade.MEND] == []


def test_every_finding_that_is_not_fine_says_what_to_do_or_is_one_of_the_sandbox(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for finding in _found(monkeypatch, WEAK):
        assert finding.grade is Grade.OK or finding.advice or finding.name == "sandbox"

"""The environment that `headrace up` gives to its processes."""

from __future__ import annotations

import pytest

from headrace_cli.up import stack
from platform_core.settings import Settings

NAME = "HEADRACE_SERVICES_ALLOW_PRIVATE"


def given(host: str) -> str:
    settings = Settings(host=host, database_url="postgresql:///x", ui_url="http://x", public_url="http://x")
    return stack.environment(settings, "up")[NAME]


@pytest.mark.parametrize(
    ("host", "private"),
    [
        ("127.0.0.1", "true"),
        ("::1", "true"),
        ("localhost", "true"),
        ("0.0.0.0", "false"),
        ("10.0.0.5", "false"),
        ("my.host", "false"),
    ],
)
def test_services_of_this_machine_are_for_the_people_of_this_machine(
    monkeypatch: pytest.MonkeyPatch, host: str, private: str
) -> None:
    monkeypatch.delenv("HEADRACE_PUBLIC_URL", raising=False)
    monkeypatch.delenv(NAME, raising=False)
    assert given(host) == private


def test_what_the_operator_says_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "false")
    assert given("127.0.0.1") == "false"


def test_behind_a_public_address_nobody_is_local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NAME, raising=False)
    monkeypatch.setenv("HEADRACE_PUBLIC_URL", "https://headrace.example.com")
    assert given("127.0.0.1") == "false"

"""The environment that `headrace up` gives to its processes."""

from __future__ import annotations

import pytest

from headrace_cli.up import stack
from platform_core.settings import Settings

NAMES = ["HEADRACE_HTTP_ALLOW_PRIVATE", "HEADRACE_SERVICES_ALLOW_PRIVATE"]


def given(host: str, name: str) -> str:
    settings = Settings(host=host, database_url="postgresql:///x", public_url="http://x")
    return stack.environment(settings, "up")[name]


@pytest.mark.parametrize("name", NAMES)
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
    monkeypatch: pytest.MonkeyPatch, host: str, private: str, name: str
) -> None:
    monkeypatch.delenv("HEADRACE_PUBLIC_URL", raising=False)
    monkeypatch.delenv(name, raising=False)
    assert given(host, name) == private


@pytest.mark.parametrize("name", NAMES)
def test_what_the_operator_says_holds(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "false")
    assert given("127.0.0.1", name) == "false"


@pytest.mark.parametrize("name", NAMES)
def test_behind_a_public_address_nobody_is_local(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HEADRACE_PUBLIC_URL", "https://headrace.example.com")
    assert given("127.0.0.1", name) == "false"


def test_the_ui_of_a_home_is_at_its_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_UI_URL", "http://elsewhere:3000")
    settings = Settings(database_url="postgresql:///x", public_url="http://x")
    assert "HEADRACE_UI_URL" not in stack.environment(settings, "up")


def test_only_those_who_answer_at_a_socket_inherit_it() -> None:
    inheritance = stack.Inheritance(lifeline_fd=3, listen_fd=4, ui_fd=5, ui_port_fd=6)
    assert [inheritance.of(name) for name in ("api", "ui", "daemon")] == [(3, 4, 6), (3, 5), (3,)]
    assert stack.Inheritance(3, 4, 5, None).of("template") == (3, 4, 5)

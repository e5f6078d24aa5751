"""Running one node, whatever its type."""

from __future__ import annotations

import pytest

from graph_compiler.running.execution import Secrets
from graph_compiler.templates.templates import render
from graph_compiler.testing.memory import MemoryRuntime
from graph_compiler.values.errors import NodeError
from tests.unit.graph_compiler.nodes.running import run


def test_secrets_are_seen_only_by_types_that_may() -> None:
    runtime = MemoryRuntime(secrets={"token": "t0k3n"})
    with pytest.raises(NodeError, match="'secrets' is undefined"):
        run("transform", {"value": "{{ secrets.token }}"}, {}, runtime)


@pytest.mark.parametrize(
    "template", ["{{ secrets }}", "x{{ secrets }}", "{{ secrets | tojson }}", "{{ secrets ~ '' }}"]
)
def test_secrets_cannot_be_written_as_a_whole(template: str) -> None:
    with pytest.raises(NodeError):
        render(template, {"secrets": Secrets(MemoryRuntime(secrets={"token": "t0k3n"}))})


def test_secrets_cannot_be_listed() -> None:
    secrets = Secrets(MemoryRuntime(secrets={"token": "t0k3n"}))
    assert render("{{ secrets | list }}", {"secrets": secrets}) == []
    assert render("{{ secrets.token }}", {"secrets": secrets}) == "t0k3n"


def test_rendered_value_is_not_rendered_again() -> None:
    assert run("transform", {"value": "{{ inputs.x }}"}, {"x": "{{ params.y }}"}) == {"value": "{{ params.y }}"}

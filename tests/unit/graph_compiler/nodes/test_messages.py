"""`email.send`, `publish` and `container`: what they ask of the runtime."""

from __future__ import annotations

import pytest

from graph_compiler.catalogue.node_types import builtin_node_types
from graph_compiler.nodes.code.container import Container, ContainerConfig
from graph_compiler.nodes.runtime import ContainerTask, Email, Message
from graph_compiler.testing.memory import MemoryRuntime
from graph_compiler.values.errors import NodeError
from tests.unit.graph_compiler.documents import found
from tests.unit.graph_compiler.nodes.running import run

SECRETS = {"url": "x://user:s3cr3t@host"}


def test_email_is_rendered_and_sent() -> None:
    runtime = MemoryRuntime(params={"n": 3}, secrets=SECRETS)
    config = {
        "server": "url",
        "from": "a@x",
        "to": ["{{ 'b@x' }}"],
        "cc": ["c@x"],
        "subject": "{{ params.n }}",
        "text": "Totals: {{ params }}",
        "attachments": ["a.csv"],
    }
    assert run("email.send", config, {}, runtime) == {"message_id": "<1@test>"}
    email = Email("a@x", ["b@x"], "3", 'Totals: {"n": 3}', None, ["c@x"], [], None, ["files:a.csv"])
    assert runtime.calls == [("send_email", {"url": SECRETS["url"], "email": email, "timeout": 30.0})]


def test_message_is_published_as_json() -> None:
    runtime = MemoryRuntime(params={"order": {"id": 7}}, secrets=SECRETS)
    config = {"broker": "url", "topic": "t", "body": "{{ params.order }}", "key": "{{ params.order.id }}"}
    assert run("publish", config, {}, runtime, timeout="2s") == {"message_id": "1-0"}
    message = Message("t", b'{"id": 7}', "7")
    assert runtime.calls == [("publish", {"url": SECRETS["url"], "message": message, "timeout": 2.0})]


def test_large_message_is_refused() -> None:
    with pytest.raises(NodeError, match="publish_too_large"):
        run("publish", {"broker": "url", "topic": "t", "body": "x" * (1024 * 1024 + 1)})


def test_secret_that_is_missing_fails() -> None:
    with pytest.raises(NodeError, match="secret_missing"):
        run("publish", {"broker": "url", "topic": "t", "body": 1})


def test_container_is_run_with_text_only() -> None:
    runtime = MemoryRuntime(params={"n": 3}, secrets=SECRETS)
    command = ["a", "{{ params.n }}"]
    config = {"image": "i:1", "command": command, "env": {"U": "{{ secrets.url }}"}, "resources": {"cpu": "1"}}
    assert run("container", config, {}, runtime) == {"result": {"ok": True}}
    assert runtime.calls == [("run_container", ContainerTask("i:1", ["a", "3"], {"U": SECRETS["url"]}, "1", None))]


def test_container_is_no_issue_where_containers_can_run() -> None:
    config = ContainerConfig(image="i:1")
    assert list(Container(available=True).defects(config)) == []
    assert [defect.code for defect in builtin_node_types()["container"].defects(config)] == ["unavailable"]


def test_quantity_that_is_none_is_an_issue() -> None:
    config = {"image": "i:1", "resources": {"memory": "lots"}}
    codes = [code for code, _ in found(nodes=[{"id": "c", "type": "container", "config": config}])]
    assert codes == ["bad_value"]

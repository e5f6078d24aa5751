"""Which nodes and triggers of a document may read which secrets."""

from __future__ import annotations

from typing import Any

from graph_compiler.catalogue.node_types import builtin_node_types
from graph_compiler.checking.secret_uses import SecretUse, secret_uses
from graph_compiler.language.spec import GraphSpec


def uses(*nodes: dict[str, Any], triggers: tuple[dict[str, Any], ...] = ()) -> list[SecretUse]:
    document = {"spec_version": 1, "name": "mill", "nodes": list(nodes), "triggers": list(triggers)}
    return secret_uses(GraphSpec.model_validate(document), builtin_node_types(containers=True))


def node(id: str, type: str, **config: Any) -> dict[str, Any]:
    return {"id": id, "type": type, "config": config}


def test_templates_and_fields_that_name_secrets_are_found_at_every_depth() -> None:
    assert uses(
        node("ask", "http.request", url="https://x.test", headers={"x": "{{ secrets.token }}"}),
        node("login", "http.request", url="https://x.test", auth={"type": "bearer", "secret": "token"}),
        node("code", "python", code="def main(k): pass", args={"k": ["{{ secrets.token }}", "{{ secrets['other'] }}"]}),
        node("query", "sql.query", connection="warehouse", statement="SELECT 1"),
        node("read", "file.read", file="s3://b/x", connection="store"),
        node("free", "transform", value="{{ params.secrets }}"),
    ) == [
        SecretUse("other", ["code"]),
        SecretUse("store", ["read"]),
        SecretUse("token", ["ask", "login", "code"]),
        SecretUse("warehouse", ["query"]),
    ]


def test_a_name_that_only_a_run_knows_may_be_any() -> None:
    assert uses(node("sh", "shell", script="true", env={"T": "{{ secrets[params.which] }}"})) == [
        SecretUse("*", ["sh"])
    ]


def test_webhooks_name_theirs() -> None:
    verify = {"scheme": "github", "secret": "new", "previous_secret": "old"}
    push = {"id": "push", "type": "webhook", "verify": verify}
    timer = {"id": "hourly", "type": "schedule", "cron": "0 * * * *"}
    assert uses(node("a", "transform", value=1), triggers=(push, timer)) == [
        SecretUse("new", [], ["push"]),
        SecretUse("old", [], ["push"]),
    ]


def test_a_config_that_its_type_reads_no_more_keeps_its_templates() -> None:
    assert uses(node("q", "shell", script=7, env={"T": "{{ secrets.token }}"})) == [SecretUse("token", ["q"])]


def test_a_type_that_is_not_installed_any_more_keeps_its_templates() -> None:
    assert uses(node("gone", "acme.gone", key="{{ secrets.token }}", broker="unknown")) == [
        SecretUse("token", ["gone"])
    ]

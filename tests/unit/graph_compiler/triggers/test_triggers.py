"""Params made of a delivery."""

from __future__ import annotations

from graph_compiler.language.webhook_trigger import WebhookTrigger
from graph_compiler.triggers.triggers import CONTEXT, map_params

DELIVERY = {
    "headers": {"x-github-event": "push"},
    "query": {},
    "path": "",
    "method": "POST",
    "body": {"repository": {"full_name": "octo/mill"}, "commits": [{"id": "c1"}]},
    "trigger": {"kind": "webhook", "id": "on-push"},
}


def trigger(**params: object) -> WebhookTrigger:
    verify = {"scheme": "github", "secret": "s"}
    return WebhookTrigger.model_validate({"id": "t", "type": "webhook", "verify": verify, "params": params})


def test_params_are_made_of_the_delivery_and_keep_their_types() -> None:
    assert set(DELIVERY) == set(CONTEXT)
    mapped = trigger(
        repository="{{ body.repository.full_name }}",
        commits="{{ body.commits }}",
        event="{{ headers['x-github-event'] }} by {{ trigger.id }}",
        limit=3,
    )
    assert map_params(mapped, DELIVERY) == (
        {"repository": "octo/mill", "commits": [{"id": "c1"}], "event": "push by on-push", "limit": 3},
        [],
    )


def test_each_param_that_cannot_be_made_is_an_issue() -> None:
    params, issues = map_params(trigger(a="{{ body.nothing }}", b="{{ body.zen }}", c=1), DELIVERY)
    assert params == {"c": 1}
    assert [(issue.code, issue.path) for issue in issues] == [("bad_param", "/params/a"), ("bad_param", "/params/b")]
    assert "there is no 'nothing' here; there is commits, repository" in issues[0].message

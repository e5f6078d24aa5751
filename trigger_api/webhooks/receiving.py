"""Receiving a call: whose it is, whether its signature holds, and then in one transaction the delivery and its run."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graph_compiler.params import apply
from graph_compiler.spec import GraphSpec, WebhookTrigger
from graph_compiler.triggers import map_params
from platform_core.database import Connection, reading, transaction
from platform_core.delivery_store import Delivery, connect_run, record_delivery, refuse_delivery
from platform_core.errors import BadSignature, HookNotFound, MissingDeliveryId, TriggerDisabled
from platform_core.run_store import NewRun, accept_run
from platform_core.secret_store import read_secret
from platform_core.trigger_store import Hook, find_hook
from platform_core.web.services import Services
from trigger_api.graph_access import SpecCache
from trigger_api.webhooks import github
from trigger_api.webhooks.call import Call

_LONGEST_KEY = 200

_log = logging.getLogger(__name__)

Issues = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Received:
    """What became of a call whose signature held: `issues` say why it started no run."""

    delivery: Delivery
    run_id: str | None
    is_new: bool
    issues: Issues = ()

    @property
    def verdict(self) -> str:
        if self.issues:
            return "refused"
        return "accepted" if self.is_new else "duplicate"


def receive(services: Services, specs: SpecCache, hook_id: str, call: Call) -> Received:
    """Store the delivery and accept its run, once per delivery id.

    Raises `HookNotFound`, `BadSignature`, `MissingDeliveryId`, `TriggerDisabled` and `Unavailable`; then nothing
    is stored but the count.
    """
    hook = _verified_hook(services, hook_id, call)
    key = call.headers.get(github.DELIVERY, "")
    if not 0 < len(key) <= _LONGEST_KEY:
        raise MissingDeliveryId(f"A delivery needs its id in X-GitHub-Delivery, at most {_LONGEST_KEY} characters.")
    if not hook.trigger.enabled:
        raise TriggerDisabled(f"The trigger {hook.trigger.trigger_id} is disabled.")
    with transaction(services.engine) as connection:
        received = _store(connection, specs, hook, call, key)
    services.metrics.deliveries.labels(received.verdict).inc()
    if received.verdict == "accepted":
        services.metrics.accepted_runs.labels("webhook").inc()
    return received


def _verified_hook(services: Services, hook_id: str, call: Call) -> Hook:
    with reading(services.engine) as connection:
        hook = find_hook(connection, hook_id)
        if hook is None:
            services.metrics.deliveries.labels("hook_not_found").inc()
            raise HookNotFound("There is no webhook here.")
        name = hook.trigger.config["verify"]["secret"]
        secret = read_secret(connection, services.keys, hook.owner_id, name)
    if secret is None:
        _log.warning("the secret %s of webhook %s is not set", name, hook.trigger.trigger_id)
    if secret is None or not github.is_signed(secret, call.body, call.headers):
        services.metrics.deliveries.labels("bad_signature").inc()
        raise BadSignature("The signature in X-Hub-Signature-256 is missing or does not hold.")
    return hook


def _store(connection: Connection, specs: SpecCache, hook: Hook, call: Call, key: str) -> Received:
    delivery, is_new = record_delivery(
        connection,
        trigger=hook.trigger.id,
        delivery_key=key,
        method=call.method,
        headers=call.headers,
        body=call.body,
    )
    if not is_new:
        return Received(delivery, delivery.run_id, False)
    spec = specs.spec(connection, hook.graph_id, hook.version)
    params, issues = _params(spec, hook, call, key)
    if issues:
        refuse_delivery(connection, delivery.id, list(issues))
        return Received(delivery, None, True, issues)
    new = NewRun(
        graph_id=hook.graph_id,
        version=hook.version,
        owner_id=hook.owner_id,
        params=params,
        trigger_kind="webhook",
        trigger_id=hook.trigger.trigger_id,
        trigger_data=_trigger_data(call, key),
        priority=spec.settings.priority,
        # Callers' own keys never begin with a colon.
        idempotency_key=f":webhook:{hook.trigger.trigger_id}:{key}",
    )
    run, _ = accept_run(connection, new)
    connect_run(connection, delivery.id, run.run_id)
    return Received(delivery, run.run_id, True)


def _params(spec: GraphSpec, hook: Hook, call: Call, key: str) -> tuple[dict[str, Any], Issues]:
    try:
        body = call.json()
    except json.JSONDecodeError as error:
        return {}, [{"code": "bad_syntax", "path": "/body", "message": f"The body is not JSON: {error.msg}."}]
    trigger = next(
        trigger
        for trigger in spec.triggers
        if isinstance(trigger, WebhookTrigger) and trigger.id == hook.trigger.trigger_id
    )
    context = {
        "headers": dict(call.headers),
        "query": dict(call.query),
        "path": {},
        "body": body,
        "trigger": {"kind": "webhook", "id": trigger.id, **_trigger_data(call, key)},
    }
    mapped, issues = map_params(trigger, context)
    if issues:
        return {}, [issue.as_dict() for issue in issues]
    params, issues = apply(spec, mapped)
    return params, [issue.as_dict() for issue in issues]


def _trigger_data(call: Call, key: str) -> dict[str, Any]:
    return {"delivery_id": key, "event": call.headers.get(github.EVENT)}

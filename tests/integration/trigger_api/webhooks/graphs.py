"""Graphs with a webhook of any kind, saved, and what came of their calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from platform_core.database.tables import deliveries, runs
from tests.integration.trigger_api.conftest import API, document
from tests.webhook_signing import SCHEMES

SECRET = "a secret"
JSON = {"Content-Type": "application/json"}
BODY = b'{"wheel": "oak", "n": 3}'


def webhook_document(**webhook: Any) -> dict[str, Any]:
    """A graph whose webhook `in` passes on what came as the param `got`; keys of the trigger can be overridden."""
    trigger = {"id": "in", "type": "webhook", "verify": {"scheme": "none"}, "params": {"got": "{{ body }}"}, **webhook}
    return document(
        "hooked",
        params={"type": "object", "properties": {"got": {}}},
        nodes=[{"id": "grind", "type": "transform", "config": {"value": "{{ params.got }}"}}],
        triggers=[trigger],
    )


def save_webhook(client: httpx.Client, **webhook: Any) -> str:
    """Save the graph; the path of its webhook."""
    client.put(f"{API}/secrets/webhook_secret", json={"value": SECRET}).raise_for_status()
    saved = client.put(f"{API}/graphs/hooked", json=webhook_document(**webhook))
    assert saved.status_code in (200, 201), saved.text
    return urlsplit(str(saved.json()["triggers"][0]["url"])).path


def stored(engine: Engine) -> list[Mapping[str, Any]]:
    """All deliveries, the oldest first."""
    with engine.connect() as connection:
        query = sa.select(deliveries).order_by(deliveries.c.received_at)
        return [dict(row._mapping) for row in connection.execute(query)]


def params_of_runs(engine: Engine) -> list[Any]:
    """The params of all runs, the oldest first."""
    with engine.connect() as connection:
        return list(connection.execute(sa.select(runs.c.params).order_by(runs.c.created_at)).scalars())


def verify_of(scheme: str, **more: Any) -> dict[str, Any]:
    """The `verify` of a trigger for senders of the scheme, its secret named `webhook_secret`."""
    verify = SCHEMES[scheme][0] | {"secret": "webhook_secret"} | more
    return verify | {"signed": verify["signed"].replace("{path}", "/hook/x")} if "signed" in verify else verify

"""Shapes of deliveries."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from platform_core.triggers.delivery_store import Delivery
from trigger_api.shared.links import Links
from trigger_api.shared.schemas import Answer
from trigger_api.webhooks.delivery_keys import id_of

Verdict = Literal["accepted", "refused", "filtered"]


class DeliveryEntry(Answer):
    """One received call: `id` is ours, `delivery_id` the sender's; secrets in `headers` are masked."""

    id: str
    delivery_id: str
    graph: str
    trigger: str
    verdict: Verdict
    issues: list[dict[str, Any]] | None
    run_id: str | None
    replay_of: str | None
    method: str
    path: str
    query: dict[str, Any]
    headers: dict[str, str]
    client: str | None
    body_size: int
    received_at: datetime
    links: dict[str, str]

    @classmethod
    def of(cls, delivery: Delivery, links: Links, **more: Any) -> DeliveryEntry:
        here = links.delivery(delivery.id)
        run = {"run": links.run(delivery.run_id)["self"]} if delivery.run_id else {}
        entry = {
            **{name: getattr(delivery, name) for name in cls.model_fields if hasattr(delivery, name)},
            "trigger": delivery.trigger_id,
            "delivery_id": id_of(delivery.delivery_key),
            "links": {"self": here, "replay": f"{here}/replay", **run},
            **more,
        }
        return cls.model_validate(entry)


class DeliveryAnswer(DeliveryEntry):
    """A delivery with what was kept of its body: as text if it is UTF-8, else as base64."""

    body: str | None = Field(description="The body as text, null if it is not UTF-8.")
    body_base64: str | None = Field(description="The body as base64, null if it is UTF-8.")
    truncated: bool = Field(description="Whether more came than is kept; such a delivery cannot be replayed.")

    @classmethod
    def whole(cls, delivery: Delivery, body: bytes, links: Links) -> DeliveryAnswer:
        try:
            content = {"body": body.decode(), "body_base64": None}
        except UnicodeDecodeError:
            content = {"body": None, "body_base64": base64.b64encode(body).decode()}
        answer = cls.of(delivery, links, **content, truncated=len(body) < delivery.body_size)
        assert isinstance(answer, DeliveryAnswer)
        return answer


class ReplayAnswer(Answer):
    """A replay: a delivery of its own, and its run unless the graph's filter or params refused it."""

    id: str
    replay_of: str
    verdict: Verdict
    run_id: str | None
    duplicate: bool
    links: dict[str, str]

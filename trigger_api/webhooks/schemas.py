"""Shapes of webhook answers."""

from __future__ import annotations

from trigger_api.schemas import Answer


class DeliveryAnswer(Answer):
    """An accepted delivery and its run; a duplicate names the run of the first one."""

    delivery_id: str
    run_id: str
    duplicate: bool
    links: dict[str, str]

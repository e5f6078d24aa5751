"""Shapes of webhook answers."""

from __future__ import annotations

from typing import Any

from trigger_api.shared.schemas import Answer


class DeliveryAnswer(Answer):
    """An accepted delivery and its run; a duplicate names the run of the first one."""

    delivery_id: str
    run_id: str
    duplicate: bool
    links: dict[str, str]


class OutcomeAnswer(DeliveryAnswer):
    """A delivery whose run has ended."""

    status: str
    outputs: dict[str, Any] | None
    error: dict[str, Any] | None

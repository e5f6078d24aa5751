"""Shapes of triggers."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from platform_core.trigger_store import Trigger
from trigger_api.links import Links
from trigger_api.schemas import Answer

_IfAny = Field(exclude_if=lambda value: value is None)


class TriggerAnswer(Answer):
    """A trigger of a graph's current version; a webhook's `url` stays the same through all versions."""

    id: str
    type: str
    enabled: bool
    url: Annotated[str | None, _IfAny] = None
    verify: Annotated[dict[str, Any] | None, _IfAny] = None

    @classmethod
    def of(cls, trigger: Trigger, links: Links) -> TriggerAnswer:
        return cls(
            id=trigger.trigger_id,
            type=trigger.type,
            enabled=trigger.enabled,
            url=None if trigger.hook_id is None else links.hook(trigger.hook_id),
            verify=trigger.config.get("verify"),
        )

"""Shapes of API keys."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator, Field

from platform_core.identity.api_key_store import ApiKey
from trigger_api.shared.schemas import Answer, RequestBody


def _only_text(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("a time is text, as in 2030-01-31T12:00:00Z")
    return value


Timestamp = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_only_text)]


class NewApiKey(RequestBody):
    """A key to create. It cannot do more than its creator; without `expires_at` it holds until it is deleted."""

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00]*$")]
    scopes: Annotated[list[str], Field(min_length=1, max_length=20, examples=[["runs:read", "runs:write"]])]
    expires_at: Timestamp | None = None


class ApiKeyAnswer(Answer):
    """A key, without its text."""

    id: str
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None

    @classmethod
    def of(cls, key: ApiKey) -> ApiKeyAnswer:
        return cls.model_validate(key, from_attributes=True)


class NewApiKeyAnswer(ApiKeyAnswer):
    """A new key; `key` is shown this once."""

    key: str

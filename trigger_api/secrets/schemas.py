"""Shapes of secrets."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr

from platform_core.secret_sources.source import SourceName
from trigger_api.shared.schemas import Answer, RequestBody


class SecretValue(RequestBody):
    """The text to keep."""

    value: Annotated[SecretStr, Field(min_length=1, max_length=65536)]


class RenewalAnswer(Answer):
    """What became of the stored secrets of all owners, and of the keys that sign tokens."""

    renewed: int = Field(description="How many were encrypted with an older master key, and are with the active one.")
    unreadable: list[str] = Field(description="Names of those that no configured master key opens; they stay.")


class SecretAnswer(Answer):
    """A secret's name and where it comes from; no field shows its value."""

    name: str
    source: SourceName

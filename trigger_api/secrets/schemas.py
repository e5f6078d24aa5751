"""Shapes of secrets."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr

from trigger_api.shared.schemas import Answer, RequestBody


class SecretValue(RequestBody):
    """The text to keep."""

    value: Annotated[SecretStr, Field(min_length=1, max_length=65536)]


class SecretAnswer(Answer):
    """A secret's name; nothing tells its value."""

    name: str

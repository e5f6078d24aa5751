"""Shapes of tokens and of the caller."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from trigger_api.shared.schemas import Answer


class TokenAnswer(Answer):
    """An OAuth2 bearer token; `expires_in` are seconds."""

    access_token: str
    token_type: Literal["bearer"] = Field(default="bearer")
    expires_in: int


class PrincipalAnswer(Answer):
    """Who the caller is and what they may do."""

    id: str
    name: str
    role: str
    scopes: list[str]

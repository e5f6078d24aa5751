"""Shapes of users."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from platform_core.identity.user_store import NAME_LENGTH, NAME_PATTERN, User
from trigger_api.shared.schemas import Answer, Password, RequestBody

Role = Literal["viewer", "operator", "editor", "admin"]


class NewUser(RequestBody):
    """A user to create."""

    name: Annotated[str, Field(pattern=NAME_PATTERN, max_length=NAME_LENGTH)]
    password: Password
    role: Role


class UserChange(RequestBody):
    """What to change; what is missing stays."""

    password: Password | None = None
    role: Role | None = None
    disabled: bool | None = None
    max_concurrent_runs: Annotated[
        int | None,
        Field(ge=0, le=2**31 - 1, description="Runs of the user executed at once; null for the limit of all users."),
    ] = None


class UserAnswer(Answer):
    """A user; a disabled one cannot log in and their tokens and keys do not hold."""

    id: str
    name: str
    role: Role
    created_at: datetime
    disabled: bool
    max_concurrent_runs: int | None

    @classmethod
    def of(cls, user: User) -> UserAnswer:
        return cls.model_validate(
            {
                "id": user.id,
                "name": user.name,
                "role": user.role,
                "created_at": user.created_at,
                "disabled": user.disabled_at is not None,
                "max_concurrent_runs": user.max_concurrent_runs,
            }
        )

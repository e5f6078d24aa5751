"""Shapes that several resources share."""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from platform_core.limits import LONGEST_PASSWORD

T = TypeVar("T")


Password = Annotated[str, Field(min_length=10, max_length=LONGEST_PASSWORD)]
"""A password that is set."""


class RequestBody(BaseModel):
    """A body whose unknown keys are refused, since they are spelling mistakes, and whose values are not converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Answer(BaseModel):
    """Something we answer."""

    model_config = ConfigDict(frozen=True)


class PageOf(Answer, Generic[T]):
    """A page of a list; `next_cursor` continues it, null at its end."""

    items: list[T]
    next_cursor: str | None

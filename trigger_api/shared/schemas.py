"""Shapes that several resources share."""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

T = TypeVar("T")


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

"""What a place of secrets is, and those that the operator gives to owners by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from platform_core.identity.secret_store import NAME_PATTERN


class SourceName(StrEnum):
    """Where a secret comes from, in the order in which they are asked."""

    STORED = "stored"
    ENVIRONMENT = "environment"
    FILE = "file"
    VAULT = "vault"


@dataclass(frozen=True)
class FoundSecret:
    """A secret's text and where it was found. Nothing prints the text."""

    value: str
    source: SourceName

    def __repr__(self) -> str:
        return f"FoundSecret({self.source})"


class SecretSource(Protocol):
    """A place outside of the database that has secrets of owners."""

    name: SourceName

    def read(self, owner: str, name: str) -> str | None:
        """The secret of that name, if there is one for this owner. Raises `SecretSourceAway`."""

    def names(self, owner: str) -> Iterable[str]:
        """The names for this owner. Raises `SecretSourceAway`."""


@dataclass(frozen=True)
class Shared:
    """Which owners may read which secrets of the operator: owners by the secret's name, `*` for everybody."""

    owners: Mapping[str, Sequence[str]]

    def allows(self, owner: str, name: str) -> bool:
        """Whether the owner may read it."""
        allowed = self.owners.get(name, ())
        return owner in allowed or "*" in allowed

    def names(self, owner: str) -> Iterable[str]:
        """What the owner may read, whether it is there or not."""
        return (name for name in self.owners if self.allows(owner, name))


def is_secret_name(text: str) -> bool:
    """Whether a secret can have this name."""
    return re.fullmatch(NAME_PATTERN, text) is not None

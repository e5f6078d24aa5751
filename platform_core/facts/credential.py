"""By what a caller proved who they are."""

from __future__ import annotations

from enum import StrEnum


class Credential(StrEnum):
    """The kind of a credential, as the audit log names it."""

    TOKEN = "token"
    KEY = "key"
    SESSION = "session"
    LINK = "link"
    PASSWORD = "password"

"""Who may answer what a run asks people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from platform_core.identity.auth import ROLE_SCOPES, Principal

STARTER = "starter"


def may_know(principal: Principal, asked: Mapping[str, Any], owner_id: str) -> bool:
    """Whether the question exists for the principal: it is about a run that it sees, or names it."""
    return principal.may_see(owner_id) or f"user:{principal.name}" in asked["who"]


def may_answer(principal: Principal, asked: Mapping[str, Any], owner_id: str, starter: str | None) -> bool:
    """Whether the principal may answer, who needs the scope `runs:write` besides.

    `asked` has `who` (`role:x`: that role or a higher one, among who may see the run; `user:x`) and `not_by`.
    """
    if not may_know(principal, asked, owner_id) or "runs:write" not in principal.scopes:
        return False
    if STARTER in asked["not_by"] and principal.name == starter:
        return False
    return not asked["who"] or any(_is(principal, one, owner_id) for one in asked["who"])


def _is(principal: Principal, somebody: str, owner_id: str) -> bool:
    kind, _, name = somebody.partition(":")
    if kind == "user":
        return principal.name == name
    return principal.may_see(owner_id) and ROLE_SCOPES[name] <= ROLE_SCOPES[principal.role]

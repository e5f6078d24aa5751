"""Who may answer what a run asks."""

from __future__ import annotations

import pytest

from platform_core.identity.answering import may_answer, may_know
from platform_core.identity.auth import ROLE_SCOPES, Principal

OWNER, OTHER = "1", "2"


def caller(user_id: str, role: str, name: str = "ida", *, without: str = "") -> Principal:
    return Principal(user_id, name, role, ROLE_SCOPES[role] - {without})


def asked(*who: str, not_by: tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
    return {"who": who, "not_by": not_by}


@pytest.mark.parametrize(
    ("role", "who", "expected"),
    [
        ("viewer", (), False),
        ("operator", (), True),
        ("operator", ("role:operator",), True),
        ("editor", ("role:operator",), True),
        ("operator", ("role:editor",), False),
        ("operator", ("role:admin", "user:ida"), True),
        ("admin", ("user:eve",), False),
    ],
)
def test_owner_answers_by_role_or_name(role: str, who: tuple[str, ...], expected: bool) -> None:
    assert may_answer(caller(OWNER, role), asked(*who), OWNER, None) is expected


def test_only_who_is_named_knows_of_a_question_about_anothers_run() -> None:
    stranger = caller(OTHER, "editor")
    assert not may_know(stranger, asked("role:operator"), OWNER)
    assert not may_answer(stranger, asked("role:operator"), OWNER, None)
    assert may_answer(stranger, asked("user:ida"), OWNER, None)
    assert may_answer(caller(OTHER, "admin"), asked(), OWNER, None)


def test_starter_and_a_key_without_the_scope_answer_nothing() -> None:
    assert not may_answer(caller(OWNER, "admin"), asked("user:ida", not_by=("starter",)), OWNER, "ida")
    assert may_answer(caller(OWNER, "admin"), asked("user:ida", not_by=("starter",)), OWNER, "eve")
    assert not may_answer(caller(OWNER, "admin", without="runs:write"), asked(), OWNER, None)

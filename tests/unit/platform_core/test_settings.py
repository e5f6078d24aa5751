"""Settings whose text has a form of its own."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from platform_core.settings import Settings


@pytest.mark.parametrize(("text", "days"), [("400d", 400), ("30", 30)])
def test_how_long_the_audit_log_is_kept_may_say_its_unit(text: str, days: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_AUDIT_RETENTION", text)
    assert Settings().audit_retention == days


@pytest.mark.parametrize("text", ["0d", "-1", "1y", "d", "1.5d"])
def test_what_is_no_number_of_days_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_AUDIT_RETENTION", text)
    with pytest.raises(ValidationError, match="audit_retention"):
        Settings()


def test_owners_of_shared_secrets_are_a_list_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_SHARED_SECRETS", '{"oak": "ada"}')
    with pytest.raises(ValidationError, match=r"shared_secrets\.oak"):
        Settings()

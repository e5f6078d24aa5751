"""Close codes, and the reference page that lists them."""

import re
from pathlib import Path

import pytest

from platform_core.runs.run_event_store import EVENT_TYPES
from stream_api.sessions.closing import CODES, code_of

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "streams.md").read_text()


def test_every_close_code_is_documented() -> None:
    assert re.findall(r"^\| (\d{4}) \| (.*) \|$", PAGE, re.MULTILINE) == [(str(c), text) for c, text in CODES.items()]


def test_every_event_type_is_documented() -> None:
    table = PAGE.partition("## Events")[2].partition("Limits:")[0]
    named = {
        name
        for row in table.splitlines()
        for name in re.findall(r"`([a-z.]+)`", row.split("|")[1] if "|" in row else "")
    }
    assert named == EVENT_TYPES


@pytest.mark.parametrize(("reason", "code"), [("final", 1000), ("token_expired", 4401), ("anything", 1011)])
def test_a_reason_has_its_code(reason: str, code: int) -> None:
    assert code_of(reason) == code

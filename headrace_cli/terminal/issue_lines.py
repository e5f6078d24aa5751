"""Issues as compilers print them: `file:line:column: code: message`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def issue_line(name: str, issue: Mapping[str, Any]) -> str:
    """One issue of the named document on one line; a finding without a place stands at its beginning."""
    place = f"{name}:{issue.get('line') or 1}:{issue.get('column') or 1}"
    hint = f" ({issue['hint']})" if issue.get("hint") else ""
    return f"{place}: {issue['code']}: {issue['message']}{hint}".replace("\n", " ")

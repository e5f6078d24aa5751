"""Requests that are sent again because of the answer's status, as soon as the server's `Retry-After` says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Annotated

from pydantic import Field

from graph_compiler.nodes.node_type import NodeConfig
from graph_compiler.nodes.runtime import HttpAnswer, NodeRuntime
from graph_compiler.values.durations import Duration


class StatusRetry(NodeConfig):
    """Another request when the answer has one of these statuses; what never arrives is the node's `retry`."""

    statuses: list[Annotated[int, Field(ge=400, le=599)]] = Field(
        default=[429, 502, 503, 504], description="Which statuses."
    )
    max_attempts: Annotated[int, Field(ge=1, le=20)] = Field(default=3, description="Requests at most.")
    delay: Duration = Field(
        default=1.0, description="Before the second request, then doubled; `Retry-After` counts more."
    )
    max_delay: Duration = Field(default=60.0, description="Waits at most this long; a longer `Retry-After` ends it.")


def with_retries(send: Callable[[], HttpAnswer], retry: StatusRetry | None, runtime: NodeRuntime) -> HttpAnswer:
    """The first answer of another status, or the last one."""
    answer = send()
    if retry is None:
        return answer
    delay = retry.delay
    for _ in range(1, retry.max_attempts):
        if answer.status not in retry.statuses:
            break
        asked = retry_after(answer.headers)
        wait = min(delay, retry.max_delay) if asked is None else asked
        if wait > retry.max_delay:
            break
        runtime.wait(wait)
        delay *= 2
        answer = send()
    return answer


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the header asks for: a number, or a date, which is measured from the answer's own."""
    named = {name.lower(): value for name, value in headers.items()}
    text = named.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    until, since = _date(text), _date(named.get("date", ""))
    return max(0.0, (until - since).total_seconds()) if until and since else None


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found if found.tzinfo else None

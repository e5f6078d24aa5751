"""Dagster's UI answers to passes only, and knows for whom it acts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from definitions.instance.caller import CALLER
from definitions.location.door import Door
from platform_core.audit.entry import ActorKind, Author
from platform_core.identity.keys import KeyRing
from platform_core.identity.ui_pass import issue_pass

KEYS = KeyRing(["k" * 32])
IDA = Author(ActorKind.USER, "u1", "ida")


def _enter(shown: str | None, *, kind: str = "http", path: str = "/dagster/graphql") -> tuple[list[Any], list[Any]]:
    """For whom Dagster was reached, and what was sent before it."""
    reached: list[Any] = []
    sent: list[Any] = []

    async def dagster(scope: Any, receive: Any, send: Any) -> None:
        reached.append(CALLER.get())

    async def receive() -> None:
        raise AssertionError("nothing is read")

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [] if shown is None else [(b"x-headrace-pass", shown.encode())]
    asyncio.run(Door(dagster, KEYS)({"type": kind, "path": path, "headers": headers}, receive, send))
    return reached, sent


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_a_pass_lets_in_and_names_the_caller(kind: str) -> None:
    assert _enter(issue_pass(KEYS, IDA), kind=kind) == ([IDA], [])
    assert CALLER.get() is None


@pytest.mark.parametrize("shown", [None, "", "ida", issue_pass(KeyRing(["x" * 32]), IDA)])
def test_nothing_else_does(shown: str | None) -> None:
    reached, sent = _enter(shown)
    assert (reached, sent[0]["status"]) == ([], 401)
    assert _enter(shown, kind="websocket") == ([], [{"type": "websocket.close"}])


def test_probes_need_none() -> None:
    assert _enter(None, path="/dagster/server_info") == ([None], [])
    assert _enter(None, path="/dagster/server_info", kind="websocket")[0] == []

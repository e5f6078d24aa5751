"""Addresses below the public one."""

from __future__ import annotations

import pytest

from trigger_api.shared.links import Links


@pytest.mark.parametrize(
    ("base", "websocket"),
    [
        ("http://mill.test", "ws://mill.test/api/v1/runs/r/ws"),
        ("https://mill.test/", "wss://mill.test/api/v1/runs/r/ws"),
        ("https://mill.test/water", "wss://mill.test/water/api/v1/runs/r/ws"),
    ],
)
def test_a_run_has_its_own_its_events_and_its_websocket_address(base: str, websocket: str) -> None:
    here = f"{base.rstrip('/')}/api/v1/runs/r"
    assert Links(base).run("r") == {
        "self": here,
        "events": f"{here}/events",
        "websocket": websocket,
        "watch": f"{base.rstrip('/')}/watch/r",
    }


def test_a_version_names_its_graph() -> None:
    here = "http://mill.test/api/v1/graphs/g"
    assert Links("http://mill.test").version("g", 2) == {"self": f"{here}/versions/2", "graph": here}

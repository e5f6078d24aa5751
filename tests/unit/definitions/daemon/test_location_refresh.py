"""Changes of the graphs reach the daemons and a real HTTP server in place of Dagster's UI."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI, Request

from definitions.daemon.location_refresh import LocationRefresh
from platform_core.identity.keys import KeyRing
from platform_core.identity.ui_pass import author_of
from platform_core.settings import Settings
from tests.serving import served
from tests.waiting import wait_until

KEYS = KeyRing(["k" * 32])


class Controller:
    """Stands for Dagster's controller, which needs a whole workspace; counts refreshes."""

    def __init__(self) -> None:
        self.refreshes = 0
        self.error: Exception | None = None
        self._workspace_process_context = SimpleNamespace(refresh_workspace=self._refresh)

    def _refresh(self) -> None:
        self.refreshes += 1
        if self.error is not None:
            raise self.error


@pytest.fixture
def controller() -> Controller:
    return Controller()


@pytest.fixture
def asked() -> queue.Queue[Any]:
    return queue.Queue()


@pytest.fixture
def ui_url(asked: queue.Queue[Any]) -> Iterator[str]:
    app = FastAPI()

    @app.post("/dagster/graphql")
    async def answer(request: Request) -> dict[str, object]:
        author_of(KEYS, request.headers["x-headrace-pass"])
        asked.put(await request.json())
        return {}

    with served(app, lifespan="off") as address:
        yield address


def refresh(controller: Controller, ui_url: str | None, home: Path | None = None) -> LocationRefresh:
    """Of a UI whose code server stands elsewhere, or is that of a home."""
    place = {"code_server_host": "graphs.test"} if home is None else {"home": home}
    settings = Settings(ui_url=ui_url, **place)
    location = LocationRefresh(controller, settings, KEYS)  # type: ignore[arg-type]  # see Controller
    location.loop.start()
    return location


def test_burst_of_changes_is_one_refresh_of_both(controller: Controller, ui_url: str, asked: queue.Queue[Any]) -> None:
    location = refresh(controller, ui_url)
    for _ in range(100):
        location.request()
    body = asked.get(timeout=30)
    wait_until(lambda: controller.refreshes, "the daemons are refreshed")
    location.loop.close()
    assert controller.refreshes == 1
    assert asked.empty()
    assert body["variables"] == {"name": "headrace"}
    assert "reloadRepositoryLocation" in body["query"]


def test_ui_that_nobody_has_opened_is_left_alone(
    controller: Controller, ui_url: str, asked: queue.Queue[Any], tmp_path: Path
) -> None:
    location = refresh(controller, ui_url, tmp_path)
    location.request()
    wait_until(lambda: controller.refreshes, "the daemons are refreshed")
    location.loop.close()
    assert asked.empty()


def test_change_during_a_refresh_is_not_forgotten(controller: Controller) -> None:
    location = refresh(controller, None)
    for number in (1, 2):
        location.request()
        wait_until(lambda number=number: controller.refreshes == number, f"refresh {number}")  # type: ignore[misc]  # a default argument binds the loop's value
    location.loop.close()


def test_failing_refresh_is_reported_and_repeated(controller: Controller, caplog: pytest.LogCaptureFixture) -> None:
    controller.error = RuntimeError("no code server")
    location = refresh(controller, "http://127.0.0.1:9")
    location.request()
    wait_until(lambda: location.loop.failures, "the first refresh failed")
    controller.error = None
    wait_until(lambda: not location.loop.failures, "it is refreshed again")
    location.loop.close()
    told = [record.getMessage() for record in caplog.records if record.name == "headrace.location"]
    assert any(message.endswith("no code server") for message in told)
    assert any(message.startswith("Dagster's UI could not be refreshed") for message in told)

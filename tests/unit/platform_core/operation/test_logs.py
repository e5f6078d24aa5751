"""Log lines of every logger in one form, without what must not be seen."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from platform_core.operation.logs import configure_logs
from platform_core.settings import Settings


@pytest.fixture(autouse=True)
def _loggers_as_before() -> Iterator[None]:
    root, access = logging.getLogger(), logging.getLogger("uvicorn.access")
    before = (root.handlers[:], root.level, access.disabled)
    yield
    root.handlers[:], root.level, access.disabled = before
    structlog.reset_defaults()


def _fail() -> None:
    password = "water in the mill"
    raise ValueError(len(password))


def _log_all() -> None:
    log = logging.getLogger("mill")
    log.debug("too quiet")
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        log.info("request", extra={"status": 200})
        try:
            _fail()
        except ValueError:
            log.exception("broken")


def test_json_lines_carry_fields_request_id_and_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(Settings(log_json=True))
    _log_all()
    request, broken = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    del request["timestamp"]
    assert request == {"event": "request", "level": "info", "logger": "mill", "request_id": "r-1", "status": 200}
    assert (broken["event"], broken["level"], broken["request_id"]) == ("broken", "error", "r-1")
    assert "ValueError: 17" in broken["exception"]


@pytest.mark.parametrize("log_json", [True, False])
def test_no_line_shows_a_local_variable(capsys: pytest.CaptureFixture[str], log_json: bool) -> None:
    configure_logs(Settings(log_json=log_json))
    _log_all()
    shown = capsys.readouterr().err
    assert "ValueError" in shown
    # The source line of the raise may be quoted; the line that holds the value is not.
    assert "water in the mill" not in shown


def test_the_level_is_the_one_set(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(Settings(log_level="error"))
    logging.getLogger("mill").warning("quiet")
    assert capsys.readouterr().err == ""

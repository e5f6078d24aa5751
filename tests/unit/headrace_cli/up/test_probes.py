"""Probes of what listens on a unix socket."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from headrace_cli.up.endpoint import listen_locally
from headrace_cli.up.probes import answers_locally
from tests.serving import served


def test_a_server_works_once_it_answers_with_200(tmp_path: Path) -> None:
    path = tmp_path / "run" / "ui.sock"
    assert not answers_locally(str(path), "/here")(0.0)
    app = Starlette(routes=[Route("/here", lambda _: PlainTextResponse("here"))])
    with served(app, listening=listen_locally(path)):
        assert answers_locally(str(path), "/here")(0.0)
        assert not answers_locally(str(path), "/elsewhere")(0.0)

"""What a call is answered once its delivery is stored: at once, with the run's end, or with its events."""

from __future__ import annotations

import json
import re
from typing import Any

from sse_starlette import EventSourceResponse
from starlette.responses import Response

from graph_compiler.language.webhook_trigger import RESERVED_HEADERS, WAIT, CustomAnswer, ResultAnswer, WebhookTrigger
from graph_compiler.triggers.triggers import render_answer
from graph_compiler.values.binary import dumps
from graph_compiler.values.errors import NodeError
from platform_core.errors import InvalidParams, RunFailed
from platform_core.facts.run_status import RunStatus
from platform_core.runs.run_store import Run
from platform_core.web.problems import problem
from platform_core.web.services import Services
from trigger_api.live.state import State
from trigger_api.shared.links import Links
from trigger_api.webhooks.delivery_keys import id_of
from trigger_api.webhooks.receiving import Received

_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")
_EMPTY = (204, 205, 304)
_TEXT = "text/plain; charset=utf-8"
_JSON = "application/json"
_BYTES = "application/octet-stream"


class Answers:
    """Makes the answers of one application."""

    def __init__(self, services: Services, state: State, links: Links) -> None:
        self._services = services
        self._state = state
        self._links = links

    async def answer(self, trigger: WebhookTrigger, received: Received) -> Response:
        """The answer that the trigger asks for. Raises `RunFailed` if that cannot be made, and `Unavailable`."""
        run_id = received.kept.run_id
        if received.verdict == "filtered":
            return Response(status_code=204)
        if run_id is None:
            # Answered, not raised: the refused delivery is kept.
            return problem(InvalidParams("The delivery does not fit the graph's params.", received.issues))
        respond = trigger.respond
        if respond == "accepted":
            return self._accepted(received, run_id)
        if respond == "stream":
            frames = self._state.progress.frames(run_id)
            return EventSourceResponse(
                frames, headers=self._headers(run_id), ping=max(1, round(self._services.settings.heartbeat))
            )
        wait = respond.wait if isinstance(respond, ResultAnswer | CustomAnswer) else WAIT
        run = await self._state.endings.wait(run_id, min(wait, self._services.settings.max_wait))
        if run is None:
            return self._accepted(received, run_id)
        return self._custom(respond, run) if isinstance(respond, CustomAnswer) else self._outcome(received, run)

    def _accepted(self, received: Received, run_id: str) -> Response:
        return _json(self._delivery(received, run_id), 202, self._headers(run_id))

    def _outcome(self, received: Received, run: Run) -> Response:
        ended = {"status": run.status, "outputs": run.outputs, "error": run.error}
        return _json(self._delivery(received, run.run_id) | ended, 200, self._headers(run.run_id))

    def _custom(self, answer: CustomAnswer, run: Run) -> Response:
        if run.status != RunStatus.SUCCESS:
            raise RunFailed(f"Run {run.run_id} ended with {run.status}.", run_id=run.run_id)
        context = {
            "outputs": run.outputs or {},
            "run": {"id": run.run_id, "graph": run.graph, "version": run.version, "owner": run.owner},
            "trigger": {"kind": run.trigger_kind.value, "id": run.trigger_id},
        }
        try:
            headers, body = render_answer(answer, context)
        except NodeError as error:
            raise RunFailed(f"The answer cannot be made: {error.message}", run_id=run.run_id) from None
        headers = {name.lower(): value for name, value in headers.items() if name.lower() not in RESERVED_HEADERS}
        content, kind = _content(body)
        if content:
            headers.setdefault("content-type", kind)
        if not all(_HEADER_VALUE.fullmatch(value) for value in headers.values()):
            raise RunFailed("A header of the answer has a character that headers may not have.", run_id=run.run_id)
        return Response(b"" if answer.status in _EMPTY else content, answer.status, headers)

    def _headers(self, run_id: str) -> dict[str, str]:
        return {"Location": self._links.run(run_id)["self"]}

    def _delivery(self, received: Received, run_id: str) -> dict[str, Any]:
        return {
            "delivery_id": id_of(received.delivery_key),
            "run_id": run_id,
            "duplicate": not received.kept.is_new,
            "links": self._links.run(run_id) | {"delivery": self._links.delivery(received.kept.id)},
        }


def _content(body: Any) -> tuple[str | bytes, str]:
    """What is sent for the body of a custom answer, and its media type unless a header names one."""
    match body:
        case None:
            return "", _JSON
        case bytes():
            return body, _BYTES
        case str():
            return body, _TEXT
        case _:
            return dumps(body), _JSON


def _json(content: dict[str, Any], status: int, headers: dict[str, str]) -> Response:
    return Response(json.dumps(content, separators=(",", ":")), status, headers, _JSON)

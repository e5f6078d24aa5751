"""Launches as multipart: files beside params, by the path of every launch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.routing import Match
from starlette.types import Scope

from graph_compiler.values.binary import as_plain
from platform_core.database.engine import reading
from platform_core.errors import BadRequest, Unavailable
from platform_core.identity.auth import Principal
from platform_core.web.dependencies import RunWriter, ServicesDep
from platform_core.web.origin import Origin, OriginDep
from platform_core.web.strict_json import loads
from trigger_api.live.state import StateDep
from trigger_api.runs.answering import WaitQuery, answer_launch
from trigger_api.runs.keys import KeyHeader
from trigger_api.runs.launching import Launched, Launcher, LauncherDep, Once, new_run
from trigger_api.runs.parts import LAUNCH, params_of, read_parts
from trigger_api.runs.schemas import Launch, LaunchAnswer
from trigger_api.shared.links import LinksDep
from trigger_api.shared.multipart import Part
from trigger_api.shared.uploads import Uploads


class MultipartRoute(APIRoute):
    """Matches only multipart requests, so that others of the same path go to the route with a JSON body."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if not Headers(scope=scope).get("content-type", "").lower().startswith("multipart/form-data"):
            return Match.NONE, {}
        return super().matches(scope)


router = APIRouter(prefix="/api/v1", tags=["runs"], route_class=MultipartRoute)

BODY: Mapping[str, Any] = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "description": (
                f"Each part is a param; the part `{LAUNCH}` is the JSON body of an ordinary launch."
                " A param whose schema has `format: file` becomes a file value, with `format: bytes` bytes,"
                " any other text or JSON."
            ),
            "additionalProperties": True,
        }
    }
}
"""For the OpenAPI description of the other route."""


@router.post("/graphs/{graph}/runs", status_code=202, response_model_exclude_unset=True, include_in_schema=False)
async def launch_with_files(
    principal: RunWriter,
    graph: str,
    services: ServicesDep,
    state: StateDep,
    links: LinksDep,
    launcher: LauncherDep,
    origin: OriginDep,
    request: Request,
    response: Response,
    key: KeyHeader = None,
    wait: WaitQuery = None,
) -> LaunchAnswer:
    """Launch a run with files. It and they are durable once this answers."""
    # Read here, not by the framework: who may not launch is refused before a byte is taken.
    body, content_type = await request.body(), request.headers["content-type"]
    launched = await run_in_threadpool(_launch, launcher, principal, origin, graph, body, content_type, key)
    return await answer_launch(launched, services, state, links, response, wait)


def _launch(
    launcher: Launcher,
    principal: Principal,
    origin: Origin,
    reference: str,
    body: bytes,
    content_type: str,
    key: str | None,
) -> Launched:
    parts = read_parts(body, content_type)
    wanted = _wanted(parts.pop(LAUNCH, None))
    once = Once(key, _fingerprint(wanted, parts))
    uploads = Uploads()
    settings = launcher.services.settings
    with reading(launcher.services.engine) as connection:
        opened = launcher.specs.open_version(connection, principal, reference, wanted.version)
        if once.earlier(connection, opened.graph.id) is None:
            params = params_of(parts, opened.spec.params, uploads)
            # Of this version, also if the graph changes until the run is accepted.
            changes = {"params": {**wanted.params, **as_plain(params)}, "version": opened.version}
            wanted = wanted.model_copy(update=changes)
            new_run(opened, wanted)
    owner = opened.graph.owner
    uploads.keep(settings, owner)
    try:
        launched = launcher.launch(lambda _: principal, origin, reference, wanted, once, uploads.run_id)
    except Unavailable:
        raise  # perhaps it was accepted; if not, the sweep for files without a run removes them
    except Exception:
        uploads.remove(settings, owner)
        raise
    if launched.run.run_id != uploads.run_id:
        uploads.remove(settings, owner)
    return launched


def _wanted(part: Part | None) -> Launch:
    if part is None:
        return Launch()
    try:
        return Launch.model_validate(loads(part.content))
    except ValidationError as error:
        found = [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
        raise RequestValidationError(found) from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise BadRequest(f"The part {LAUNCH} is not JSON.") from None


def _fingerprint(wanted: Launch, parts: Mapping[str, Part]) -> str:
    """What makes two requests the same: the fields, and the names and contents of the files."""
    content = wanted.model_dump(exclude={"live_monitoring"})
    sent = {
        name: [hashlib.sha256(part.content).hexdigest(), part.filename, part.media_type] for name, part in parts.items()
    }
    return hashlib.sha256(json.dumps([content, sent], sort_keys=True).encode()).hexdigest()

"""Errors as RFC 9457 problem documents, and the same errors as OpenAPI responses."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.routing import Match

from platform_core.errors import (
    BadRequest,
    HeadraceError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    RangeNotSatisfiable,
    TooLarge,
    Unavailable,
)

MEDIA_TYPE = "application/problem+json"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RequestIssue:
    """One thing that is wrong with a request: `part` of it is where `path`, a JSON pointer, begins."""

    code: str
    part: str
    path: str
    message: str
    hint: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The issue as problem documents carry it."""
        said = {"code": self.code, "in": self.part, "path": self.path, "message": self.message}
        return said if self.hint is None else said | {"hint": self.hint}


def problem(error: HeadraceError) -> Response:
    """The error's document, with the request's id so that its log lines can be found."""
    content = {
        "type": f"urn:headrace:error:{error.code}",
        "title": error.title,
        "status": error.status,
        "code": error.code,
        "detail": error.detail,
        **error.extensions,
    }
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    if request_id is not None:
        content["request_id"] = request_id
    # ASCII on purpose: a message may quote input that UTF-8 cannot carry.
    return Response(json.dumps(content), error.status, _headers(error), MEDIA_TYPE)


def _headers(error: HeadraceError) -> dict[str, str]:
    if error.status == Unavailable.status:
        return {"Retry-After": "1"}
    if error.status == 401:
        return {"WWW-Authenticate": "Bearer"}
    if error.status == RangeNotSatisfiable.status:
        return {"Content-Range": f"bytes */{error.extensions['size']}"}
    if "retry_after" in error.extensions:
        return {"Retry-After": str(error.extensions["retry_after"])}
    return {}


def install_problems(app: FastAPI) -> None:
    """Render every error that reaches the edge as a problem document."""
    app.add_exception_handler(HeadraceError, _deliberate)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _framework)


async def _deliberate(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HeadraceError)
    if error.status >= 500:
        _log.error("request failed", exc_info=error, extra={"code": error.code})
    return problem(error)


async def _malformed(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    issues = [request_issue(found).as_dict() for found in error.errors()]
    return problem(InvalidRequest("The request is malformed; see issues.", issues))


def request_issue(found: Mapping[str, Any]) -> RequestIssue:
    """A pydantic error in the form of a graph's issues."""
    part, *place = found["loc"]
    if found["type"] == "json_invalid":
        return RequestIssue("json_invalid", "body", "", found["ctx"]["error"])
    path = "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in place)
    return RequestIssue(found["type"], part, path, found["msg"])


async def _framework(request: Request, error: Exception) -> Response:
    """What the framework itself refuses: unknown paths and methods, bodies that are too large or do not parse."""
    assert isinstance(error, HTTPException)
    known = {
        404: NotFound(f"There is nothing at {request.url.path}."),
        405: MethodNotAllowed(f"{request.method} is not possible here."),
        413: TooLarge("The body is larger than allowed."),
    }
    response = problem(known.get(error.status_code, BadRequest(error.detail)))
    response.headers.update(error.headers or {})
    if error.status_code == MethodNotAllowed.status:
        # The framework names the methods of one route, but a path can have several.
        response.headers["Allow"] = ", ".join(_allowed(request))
    return response


def _allowed(request: Request) -> list[str]:
    routes = request.app.routes
    return [
        method
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ]


def problems(*errors: type[HeadraceError]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that can raise these errors."""
    by_status: dict[int | str, list[type[HeadraceError]]] = defaultdict(list)
    for error in errors:
        by_status[error.status].append(error)
    return {status: _response(raised) for status, raised in sorted(by_status.items(), key=str)}


def _response(errors: Sequence[type[HeadraceError]]) -> dict[str, Any]:
    codes = [error.code for error in errors]
    properties: dict[str, Any] = {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer", "const": errors[0].status},
        "code": {"type": "string", "enum": codes},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
    }
    if errors[0].status == 422:
        properties["issues"] = {"type": "array", "items": ISSUE}
    schema = {"type": "object", "properties": properties, "required": ["type", "title", "status", "code", "detail"]}
    return {"description": f"{errors[0].title}: {', '.join(codes)}", "content": {MEDIA_TYPE: {"schema": schema}}}


ISSUE = {
    "type": "object",
    "properties": {
        "code": {"type": "string"},
        "in": {"type": "string", "description": "Which part of the request `path` is in; missing for documents."},
        "path": {"type": "string", "description": "JSON pointer."},
        "message": {"type": "string"},
        "line": {"type": ["integer", "null"]},
        "column": {"type": ["integer", "null"]},
        "hint": {"type": ["string", "null"]},
    },
    "required": ["code", "path", "message"],
}

"""The query of a request against what its route declares: nothing that a caller sent is ignored in silence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from types import UnionType
from typing import Any, NoReturn, Union, get_args, get_origin

from fastapi._compat import ModelField
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_params_to_args
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from starlette.datastructures import QueryParams
from starlette.requests import HTTPConnection

from platform_core.errors import InvalidRequest
from platform_core.web.problems import RequestIssue, request_issue

MOST_ISSUES = 20
"""Parameters that one answer names at most: a query can hold thousands."""

_LONGEST_NAME = 60
_SEQUENCES = frozenset({list, tuple, set, frozenset, Sequence})


# Asynchronous although it waits for nothing: a plain function would cost a change of threads.
async def known_query(connection: HTTPConnection) -> None:
    """A dependency of every route: refuses query parameters that the route does not declare, or that come twice.

    A route class with a true `takes_any_query` is left alone: there, parameters are the sender's data. Sockets are
    too, because they are refused by a close code. Raises `InvalidRequest`, whose issues name every fault of the query.
    """
    if not connection.scope.get("query_string") or connection.scope["type"] != "http":
        return
    route = connection.scope.get("route")
    if not isinstance(route, APIRoute) or getattr(route, "takes_any_query", False):
        return
    fields = _declared(route.dependant)
    issues = query_issues(connection.query_params, _known(fields))
    if issues:
        malformed = request_params_to_args(fields, connection.query_params)[1]
        refuse_query([*issues, *map(request_issue, malformed)])


def query_issues(given: QueryParams, known: Mapping[str, FieldInfo]) -> list[RequestIssue]:
    """An issue for each parameter that is not known, with the nearest known one, or that is given too often."""
    issues: list[RequestIssue] = []
    for name in given:
        times = len(given.getlist(name))
        if name not in known:
            issues.append(
                query_issue("unknown_parameter", name, "there is no such query parameter", _hint(name, known))
            )
        elif times > 1 and not _takes_many(known[name].annotation):
            issues.append(query_issue("repeated_parameter", name, f"it is given {times} times; give it once"))
        if len(issues) == MOST_ISSUES:
            break
    return issues


def refuse_query(issues: Sequence[RequestIssue]) -> NoReturn:
    """Raises `InvalidRequest` that says what is wrong with the query, in its text as well as in its issues."""
    said = "; ".join(f"{_name(issue)}: {issue.message}{_aside(issue.hint)}" for issue in issues)
    raise InvalidRequest(f"The query is malformed: {said}.", [issue.as_dict() for issue in issues])


def _declared(dependant: Dependant) -> list[ModelField]:
    return [*dependant.query_params, *(field for below in dependant.dependencies for field in _declared(below))]


def _known(fields: Sequence[ModelField]) -> dict[str, FieldInfo]:
    known: dict[str, FieldInfo] = {}
    for field in fields:
        model = field.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            known |= names_of(model)
        else:
            known[field.alias] = field.field_info
    return known


def names_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The parameters that a model of a query declares."""
    return {info.alias or name: info for name, info in model.model_fields.items()}


def query_issue(code: str, name: str, message: str, hint: str | None = None) -> RequestIssue:
    """An issue of the query parameter of that name."""
    return replace(request_issue({"type": code, "loc": ("query", name[:_LONGEST_NAME]), "msg": message}), hint=hint)


def _name(issue: RequestIssue) -> str:
    return f"`{issue.path.removeprefix('/')}`"


def _aside(hint: str | None) -> str:
    return "" if hint is None else f" ({hint})"


def _hint(name: str, known: Mapping[str, FieldInfo]) -> str | None:
    close = get_close_matches(name, known, 1) if len(name) <= _LONGEST_NAME else []
    if close:
        return f"did you mean `{close[0]}`?"
    return f"known: {', '.join(sorted(known))}" if known else "this address takes none"


def _takes_many(annotation: Any) -> bool:
    if get_origin(annotation) in (Union, UnionType):
        return any(_takes_many(part) for part in get_args(annotation))
    return (get_origin(annotation) or annotation) in _SEQUENCES

"""Answers to runs that wait: an event at its address, a decision of a person; and what is open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path

from graph_compiler.language.schema_validation import TooMuchWork, errors_of
from graph_compiler.values.pointers import pointer
from platform_core.audit.audit_store import record
from platform_core.audit.entry import Action, Target, TargetKind
from platform_core.errors import (
    BadCursor,
    Forbidden,
    InvalidAnswer,
    InvalidRequest,
    RunNotFound,
    Unavailable,
    WaitAnswered,
    WaitExpired,
    WaitNotFound,
)
from platform_core.identity.answering import may_answer, may_know
from platform_core.identity.auth import Principal
from platform_core.limits import DEFAULT_PAGE
from platform_core.runs.wait_store import APPROVAL, OpenWait, give_answer, list_open, wait_of_node, wait_of_token
from platform_core.web.dependencies import (
    AUTH_ERRORS,
    ConnectionDep,
    CursorQuery,
    LimitQuery,
    RunReader,
    RunWriter,
)
from platform_core.web.origin import OriginDep
from platform_core.web.problems import problems
from platform_core.web.strict_json import StrictJsonRoute
from trigger_api.shared.links import LinksDep
from trigger_api.shared.run_access import RunIdPath
from trigger_api.shared.schemas import PageOf
from trigger_api.waits.schemas import Decision, OpenWaitAnswer, Taken, TakenEvent

router = APIRouter(prefix="/api/v1", tags=["waits"], route_class=StrictJsonRoute)

TokenPath = Annotated[str, Path(max_length=100, pattern=r"^[A-Za-z0-9_-]+$")]
NodePath = Annotated[str, Path(max_length=1000, description="The node, as events name it: `ask`, `call[2]/ask`.")]

_ERRORS = (InvalidRequest, Unavailable, WaitNotFound, WaitAnswered, WaitExpired, InvalidAnswer)


@router.post("/waits/{token}", status_code=202, operation_id="tell_event", responses=problems(*_ERRORS))
def tell_event(connection: ConnectionDep, token: TokenPath, body: Annotated[Any, Body()] = None) -> TakenEvent:
    """Tell the run that waits at this address of its event: once, by who knows the address. The body is the event."""
    wait = wait_of_token(connection, token)
    _check(wait.asked["schema"], body, "/body")
    give_answer(connection, wait, body)
    return TakenEvent()


@router.post(
    "/runs/{run_id}/waits/{node:path}",
    status_code=202,
    operation_id="answer_approval",
    responses=problems(*AUTH_ERRORS, *_ERRORS, RunNotFound),
)
def answer_approval(
    principal: RunWriter,
    connection: ConnectionDep,
    origin: OriginDep,
    run_id: RunIdPath,
    node: NodePath,
    answer: Decision,
) -> Taken:
    """Approve or reject what a node of the run asks. Who may is said by the node; the first answer counts."""
    wait = wait_of_node(connection, run_id, node)
    if wait.kind != APPROVAL or not may_know(principal, wait.asked, wait.owner_id):
        raise WaitNotFound(f"The run {run_id} asks nobody at {node}.")
    if not _may_answer(principal, wait):
        raise Forbidden("This is for others to approve or reject.")
    form = {} if answer.form is None else answer.form
    _check(wait.asked["schema"], form, "/form")
    give_answer(connection, wait, form, by=principal.name, approves=answer.decision == "approve")
    target = Target(TargetKind.RUN, run_id, wait.graph, wait.owner_id)
    said = {"node": node, "decision": answer.decision}
    record(connection, origin.author(principal), Action.WAIT_ANSWERED, target, after=said)
    return Taken(run_id=run_id, node=node)


@router.get(
    "/waits", operation_id="list_waits", responses=problems(*AUTH_ERRORS, InvalidRequest, Unavailable, BadCursor)
)
def list_waits(
    principal: RunReader,
    connection: ConnectionDep,
    links: LinksDep,
    limit: LimitQuery = DEFAULT_PAGE,
    cursor: CursorQuery = None,
) -> PageOf[OpenWaitAnswer]:
    """List what the caller's runs wait for from outside and what names the caller, the oldest first."""
    owner_id = None if principal.is_admin else principal.user_id
    page = list_open(connection, owner_id, principal.name, limit=limit, cursor=cursor)
    items = [OpenWaitAnswer.of(wait, links, may_answer=_may_answer(principal, wait)) for wait in page.items]
    return PageOf(items=items, next_cursor=page.next_cursor)


def _may_answer(principal: Principal, wait: OpenWait) -> bool:
    return may_answer(principal, wait.asked, wait.owner_id, wait.starter)


def _check(schema: Mapping[str, Any] | None, value: Any, place: str) -> None:
    """Raises `InvalidAnswer`, saying where."""
    if schema is None:
        return
    try:
        wrong = [(place + pointer(error.absolute_path), error.message) for error in errors_of(schema, value)]
    except TooMuchWork:
        wrong = [(place, "checking this takes too many steps")]
    if wrong:
        issues = [{"code": "bad_answer", "path": path, "message": message} for path, message in wrong]
        raise InvalidAnswer("The answer does not fit what is asked.", issues)

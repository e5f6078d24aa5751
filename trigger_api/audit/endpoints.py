"""The audit log: listed and exported to who may see it, verified for administrators."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse

from platform_core.audit.audit_store import AuditFilter, list_entries
from platform_core.audit.chain import Link, seal, verify
from platform_core.audit.entry import Action
from platform_core.database.engine import reading, transaction
from platform_core.errors import BadCursor, InvalidRequest, Unavailable
from platform_core.limits import DEFAULT_PAGE, LARGEST_PAGE
from platform_core.web.dependencies import AUTH_ERRORS, Admin, AuditReader, CursorQuery, ServicesDep
from platform_core.web.problems import problems
from platform_core.web.query import query_issue, refuse_query
from trigger_api.audit.exporting import ndjson, table
from trigger_api.audit.schemas import AuditAnswer, AuditFormat, VerdictAnswer
from trigger_api.shared.schemas import PageOf

router = APIRouter(prefix="/api/v1", tags=["audit"])

_ERRORS = (*AUTH_ERRORS, InvalidRequest, Unavailable)
_MOMENT = "A time such as `2026-11-28T09:00:00Z`; without a zone it is UTC."
_Text = Annotated[str | None, Query(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
_Limit = Annotated[int | None, Query(ge=1, le=LARGEST_PAGE, description="Most items on the page of `json`.")]
_FILES: dict[str, Any] = {
    "application/x-ndjson": {"schema": {"type": "string"}},
    "text/csv": {"schema": {"type": "string"}},
}


async def _filter(
    principal: AuditReader,
    action: Annotated[Action | None, Query()] = None,
    actor: _Text = None,
    target: _Text = None,
    owner: _Text = None,
    since: Annotated[datetime | None, Query(description=f"Of then or later. {_MOMENT}")] = None,
    until: Annotated[datetime | None, Query(description=f"Of before then. {_MOMENT}")] = None,
) -> AuditFilter:
    return AuditFilter(
        visible_to=None if principal.is_admin else principal.user_id,
        action=action,
        actor=actor,
        target=target,
        owner=owner,
        since=_aware(since),
        until=_aware(until),
    )


def _aware(moment: datetime | None) -> datetime | None:
    return moment if moment is None or moment.tzinfo is not None else moment.replace(tzinfo=UTC)


@router.get(
    "/audit",
    operation_id="list_audit",
    response_model=PageOf[AuditAnswer],
    responses={200: {"content": _FILES}, **problems(*_ERRORS, BadCursor)},
)
def list_audit(
    services: ServicesDep,
    wanted: Annotated[AuditFilter, Depends(_filter)],
    format: AuditFormat = AuditFormat.JSON,
    limit: _Limit = None,
    cursor: CursorQuery = None,
) -> PageOf[AuditAnswer] | Response:
    """List who did what, the newest first; an administrator's list has everybody's, another's what they did or own.

    `actor`, `target` and `owner` are names, or of the first two ids. The formats `ndjson` and `csv` are all of it, the
    oldest first, and take neither `limit` nor `cursor`.
    """
    if format is AuditFormat.JSON:
        with reading(services.engine) as connection:
            page = list_entries(connection, wanted, limit=limit or DEFAULT_PAGE, cursor=cursor)
        return PageOf(items=[AuditAnswer.of(entry) for entry in page.items], next_cursor=page.next_cursor)
    if limit is not None or cursor is not None:
        given = "cursor" if limit is None else "limit"
        refuse_query([query_issue("not_for_format", given, f"the format {format} is the whole log, not a page of it")])
    lines, media_type = (ndjson, "application/x-ndjson") if format is AuditFormat.NDJSON else (table, "text/csv")
    headers = {"Content-Disposition": f'attachment; filename="audit.{format}"'}
    return StreamingResponse(lines(services.engine, wanted), media_type=media_type, headers=headers)


@router.get("/audit:verify", operation_id="verify_audit", responses=problems(*_ERRORS))
def verify_audit(
    _: Admin,
    services: ServicesDep,
    place: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="Of a link that was noted down.")] = None,
    hash: Annotated[str | None, Query(pattern=r"^[0-9a-f]{64}$", description="The hash it had.")] = None,
) -> VerdictAnswer:
    """Walk along the chain of hashes, and look for a `head` that an earlier answer gave (`place` with `hash`)."""
    if (place is None) != (hash is None):
        refuse_query([query_issue("missing", "place" if place is None else "hash", "a link is a place and its hash")])
    known = None if place is None or hash is None else Link(place, bytes.fromhex(hash))
    with transaction(services.engine) as connection:
        seal(connection)
    with transaction(services.engine) as connection:
        return VerdictAnswer.of(verify(connection, known))

"""Files: the content of an owner's files, and the files that a run names."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from graph_compiler.values.errors import NodeError
from graph_compiler.values.file_values import checked_path, media_type_of, name_of
from platform_core.database.engine import reading
from platform_core.errors import FileMissing, InvalidRequest, RangeNotSatisfiable, RunNotFound, Unavailable
from platform_core.identity.auth import Principal
from platform_core.identity.user_store import name_of_user
from platform_core.runs.owner_files import find_file
from platform_core.runs.run_files import files_of_run
from platform_core.web.dependencies import AUTH_ERRORS, ConnectionDep, RunReader, ServicesDep
from platform_core.web.file_answer import (
    ANSWERS,
    IfNoneMatchHeader,
    IfRangeHeader,
    InlineQuery,
    RangeHeader,
    Wish,
    file_answer,
)
from platform_core.web.problems import problems
from platform_core.web.services import Services
from trigger_api.files.schemas import FileAnswer, FileList
from trigger_api.shared.links import LinksDep
from trigger_api.shared.run_access import RunIdPath, visible_run

router = APIRouter(prefix="/api/v1", tags=["files"])

_ERRORS = (*AUTH_ERRORS, InvalidRequest, Unavailable)
_OwnerQuery = Annotated[
    str | None, Query(max_length=63, pattern=r"^[a-z0-9-]+$", description="The owner, if it is not the caller.")
]


@router.get(
    "/files/{path:path}",
    operation_id="get_file",
    response_class=Response,
    responses={**ANSWERS, **problems(*_ERRORS, FileMissing, RangeNotSatisfiable)},
)
def get_file(
    principal: RunReader,
    services: ServicesDep,
    path: Annotated[str, Path(max_length=1000, description="A path such as `reports/today.csv`.")],
    owner: _OwnerQuery = None,
    inline: InlineQuery = False,
    range_: RangeHeader = None,
    if_range: IfRangeHeader = None,
    if_none_match: IfNoneMatchHeader = None,
) -> Response:
    """Get a file of the caller's, whole or one range of it; an administrator may name another owner."""
    found = find_file(services.settings, _owner(services, principal, owner, path), _checked(path))
    wish = Wish(range_, if_range, if_none_match, inline)
    return file_answer(found, name_of(path), media_type_of(path), wish)


@router.get(
    "/runs/{run_id}/files",
    operation_id="list_run_files",
    responses=problems(*_ERRORS, RunNotFound),
)
def list_run_files(principal: RunReader, connection: ConnectionDep, run_id: RunIdPath, links: LinksDep) -> FileList:
    """List the files in a run's outputs and params and in what its nodes gave."""
    run = visible_run(connection, principal, run_id)
    return FileList(items=[FileAnswer.of(file, run.owner, links) for file in files_of_run(connection, run)])


def _owner(services: Services, principal: Principal, named: str | None, path: str) -> str:
    """The owner whose file is meant. Raises `FileMissing` for another's, whether it is there or not."""
    with reading(services.engine) as connection:
        own = name_of_user(connection, principal.user_id)
    if named not in (None, own) and not principal.is_admin:
        raise FileMissing(f"There is no file {path}.")
    return named or own


def _checked(path: str) -> str:
    try:
        return checked_path(path)
    except NodeError as error:
        raise FileMissing(f"There is no file {path[:200]}: {error}.") from None

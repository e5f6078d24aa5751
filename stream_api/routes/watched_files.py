"""The files of a watched run, for the page that shows it: its token opens them and no others."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from graph_compiler.values.file_values import media_type_of, name_of
from platform_core.database.engine import reading
from platform_core.errors import FileMissing, InvalidRequest, RangeNotSatisfiable, RunNotFound, Unavailable
from platform_core.runs.owner_files import find_file
from platform_core.runs.run_files import files_of_run
from platform_core.web.dependencies import AUTH_ERRORS, BearerDep, ServicesDep
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
from stream_api.serving.access import SCOPE, visible_run
from stream_api.serving.credentials import identify

router = APIRouter(prefix="/watch", tags=["watch"])


@router.get(
    "/{run_id}/files/{path:path}",
    operation_id="get_watched_file",
    response_class=Response,
    responses={
        **ANSWERS,
        **problems(*AUTH_ERRORS, RunNotFound, FileMissing, RangeNotSatisfiable, InvalidRequest, Unavailable),
    },
)
def get_watched_file(
    run_id: str,
    services: ServicesDep,
    bearer: BearerDep,
    path: Annotated[str, Path(max_length=1000, description="A path such as `reports/today.csv`.")],
    inline: InlineQuery = False,
    range_: RangeHeader = None,
    if_range: IfRangeHeader = None,
    if_none_match: IfNoneMatchHeader = None,
) -> Response:
    """Get a file that the run names, with the token that watches the run."""
    found = find_file(services.settings, _owner(services, run_id, bearer, path), path)
    return file_answer(found, name_of(path), media_type_of(path), Wish(range_, if_range, if_none_match, inline))


def _owner(services: Services, run_id: str, bearer: str | None, path: str) -> str:
    """The owner of the run, which names the file. Raises `FileMissing` for one that it does not name."""
    with reading(services.engine) as connection:
        principal, _ = identify(connection, services.signing_keys, bearer=bearer, ticket=None, run_id=run_id)
        principal.demand(SCOPE)
        run = visible_run(connection, principal, run_id)
        if path not in {file.path for file in files_of_run(connection, run)}:
            raise FileMissing(f"The run names no file {path}.")
        return run.owner

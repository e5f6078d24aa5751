"""Files of webhook calls: kept before the delivery and its run are stored, and removed if those were not."""

from __future__ import annotations

from dataclasses import replace

from platform_core.database.engine import reading
from platform_core.identity.user_store import name_of_user
from platform_core.runs.run_store import NewRun
from platform_core.runs.upload_store import remove_uploads
from platform_core.triggers.delivery_store import Entry, Kept
from platform_core.web.services import Services
from trigger_api.shared.uploads import Uploads
from trigger_api.webhooks.mapping import Mapped


def keep_files(services: Services, mapped: Mapped, uploads: Uploads) -> Mapped:
    """The run with the files of its call, kept from here on; of a call that makes no run nothing is.

    Raises `Unavailable`.
    """
    if mapped.run is None or not uploads:
        return mapped
    uploads.keep(services.settings, _owner(services, mapped.run.owner_id))
    return replace(mapped, run=replace(mapped.run, run_id=uploads.run_id))


def run_in_vain(entry: Entry, kept: Kept | None) -> NewRun | None:
    """The run that has files and was then not accepted, if so."""
    return entry.run if entry.run is not None and entry.run.run_id and (kept is None or not kept.is_new) else None


def drop_files(services: Services, run: NewRun) -> None:
    """Remove the files that were kept for a run. Raises `Unavailable`."""
    remove_uploads(services.settings, _owner(services, run.owner_id), run.run_id or "")


def _owner(services: Services, user_id: str) -> str:
    with reading(services.engine) as connection:
        return name_of_user(connection, user_id)

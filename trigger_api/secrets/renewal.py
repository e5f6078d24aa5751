"""Rotation of the master keys: what older ones have encrypted is encrypted with the active one."""

from __future__ import annotations

from fastapi import APIRouter

from platform_core.audit.audit_store import record
from platform_core.audit.entry import Action, Target, TargetKind
from platform_core.database.engine import transaction
from platform_core.errors import InvalidRequest, Unavailable
from platform_core.identity.secret_store import renew_secrets
from platform_core.identity.signing_keys import renew_signing_keys
from platform_core.web.dependencies import AUTH_ERRORS, Admin, ServicesDep
from platform_core.web.origin import OriginDep
from platform_core.web.problems import problems
from trigger_api.secrets.schemas import RenewalAnswer

router = APIRouter(prefix="/api/v1", tags=["secrets"])

BATCH = 500
"""Secrets of one transaction."""


@router.post(
    "/secrets:rotate-keys",
    operation_id="rotate_keys",
    responses=problems(*AUTH_ERRORS, InvalidRequest, Unavailable),
)
def rotate_keys(admin: Admin, services: ServicesDep, origin: OriginDep) -> RenewalAnswer:
    """Encrypt all stored secrets, and the keys that sign tokens, with the active master key, while services run.

    Asking again changes nothing.
    """
    with transaction(services.engine) as connection:
        renewed, unreadable = renew_signing_keys(connection, services.keys)
    unreadable = [f"signing key {kid}" for kid in unreadable]
    last, is_first = None, True
    while is_first or last is not None:
        with transaction(services.engine) as connection:
            batch = renew_secrets(connection, services.keys, last, BATCH)
            if is_first or batch.renewed:
                target = Target(TargetKind.SECRET, name="*")
                after = {"renewed": batch.renewed}
                record(connection, origin.author(admin), Action.SECRETS_RENEWED, target, after=after)
        renewed, last, is_first = renewed + batch.renewed, batch.last, False
        unreadable += batch.unreadable
    return RenewalAnswer(renewed=renewed, unreadable=unreadable)

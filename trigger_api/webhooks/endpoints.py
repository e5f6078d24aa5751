"""The address that webhooks call."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from platform_core.errors import (
    BadSignature,
    HookNotFound,
    InvalidParams,
    InvalidRequest,
    MissingDeliveryId,
    TooLarge,
    TriggerDisabled,
    Unavailable,
)
from platform_core.web.dependencies import ServicesDep
from platform_core.web.problems import problem, problems
from trigger_api.links import LinksDep
from trigger_api.state import StateDep
from trigger_api.webhooks.call import CallDep
from trigger_api.webhooks.receiving import receive
from trigger_api.webhooks.schemas import DeliveryAnswer

router = APIRouter(prefix="/hooks", tags=["webhooks"])

_BODY = {
    "requestBody": {
        "required": True,
        "description": "What the sender sends, signed in `X-Hub-Signature-256` and numbered in `X-GitHub-Delivery`.",
        "content": {"application/json": {"schema": {}}, "application/x-www-form-urlencoded": {"schema": {}}},
    }
}


@router.post(
    "/{hook_id}",
    status_code=202,
    operation_id="deliver",
    openapi_extra=_BODY,
    response_model=DeliveryAnswer,
    responses=problems(
        BadSignature,
        HookNotFound,
        InvalidParams,
        InvalidRequest,
        MissingDeliveryId,
        TooLarge,
        TriggerDisabled,
        Unavailable,
    ),
)
def deliver(
    hook_id: Annotated[str, Path(max_length=100, pattern=r"^[A-Za-z0-9_-]+$")],
    call: CallDep,
    services: ServicesDep,
    state: StateDep,
    links: LinksDep,
) -> DeliveryAnswer | Response:
    """Deliver a signed call. Once this answers 202 its run is durable; a delivery sent again names the same run."""
    received = receive(services, state.specs, hook_id, call)
    if received.run_id is None:
        # Answered, not raised: the refused delivery is kept.
        return problem(InvalidParams("The delivery does not fit the graph's params.", received.issues))
    return DeliveryAnswer(
        delivery_id=received.delivery.delivery_key,
        run_id=received.run_id,
        duplicate=not received.is_new,
        links=links.run(received.run_id),
    )

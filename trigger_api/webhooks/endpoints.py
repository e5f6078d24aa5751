"""The address that webhooks call."""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Path, Request, Response
from fastapi.routing import APIRoute

from graph_compiler.language.webhook_trigger import WebhookTrigger
from platform_core.errors import (
    BadSignature,
    CallerNotAllowed,
    HeadraceError,
    IncompleteBody,
    InvalidParams,
    InvalidRequest,
    MethodNotAllowed,
    MissingDeliveryId,
    RunFailed,
    TooLarge,
    TooManyRequests,
    TriggerDisabled,
    Unavailable,
    UnsupportedMediaType,
    WebhookNotFound,
)
from platform_core.web.dependencies import ServicesDep
from platform_core.web.problems import problem, problems
from platform_core.web.security_headers import POLICY, SANDBOX
from platform_core.web.services import Services, services_of
from trigger_api.live.known_webhooks import KnownWebhook
from trigger_api.live.state import State, StateDep, state_of
from trigger_api.shared.links import Links, LinksDep, links_of
from trigger_api.webhooks.answers import Answers
from trigger_api.webhooks.call import Incoming
from trigger_api.webhooks.cors import allowed, cors_headers, preflight_headers
from trigger_api.webhooks.receiving import Challenge, Received, body_limit, receive
from trigger_api.webhooks.schemas import AcceptedAnswer, OutcomeAnswer


class _WebhookRoute(APIRoute):
    """A route that hands the call over as it is: finding out what endpoints declare costs as much as the whole call."""

    takes_any_query = True
    """A sender's parameters are data of its call."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        declared = super().get_route_handler()

        async def answer(request: Request) -> Response:
            webhook_id = request.path_params["hook_id"]
            if not _WEBHOOK_ID.fullmatch(webhook_id):
                return await declared(request)  # which says what is wrong
            services, state = services_of(request), state_of(request)
            path = request.path_params.get("path", "")
            response = await _deliver(request, webhook_id, path, services, state, links_of(request))
            # Beside a policy of the graph's own: browsers keep to all of them.
            response.headers.append(POLICY, SANDBOX)
            return response

        return answer


router = APIRouter(prefix="/hooks", tags=["webhooks"], route_class=_WebhookRoute)

MOST_CHANGES = 10
"""How often a webhook may change while one call of it is received."""
_LONGEST_CHALLENGE = 1000
_WebhookId = Annotated[str, Path(alias="hook_id", max_length=100, pattern=r"^[A-Za-z0-9_-]+$")]
_WEBHOOK_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_BODY = {
    "requestBody": {
        "required": False,
        "description": "What the sender sends, proved as the webhook's `verify` says.",
        "content": {"application/json": {"schema": {}}, "application/x-www-form-urlencoded": {"schema": {}}},
    }
}
_ERRORS = problems(
    BadSignature,
    CallerNotAllowed,
    WebhookNotFound,
    IncompleteBody,
    InvalidParams,
    InvalidRequest,
    MethodNotAllowed,
    MissingDeliveryId,
    RunFailed,
    TooLarge,
    TooManyRequests,
    TriggerDisabled,
    Unavailable,
    UnsupportedMediaType,
)


@router.post(
    "/{hook_id}",
    status_code=202,
    operation_id="deliver",
    openapi_extra=_BODY,
    response_model=None,
    responses={
        200: {"model": OutcomeAnswer, "description": "The run's end, or what the webhook makes of it"},
        202: {"model": AcceptedAnswer, "description": "Stored, and its run accepted"},
        204: {"description": "Stored; the filter starts no run"},
        **_ERRORS,
    },
)
async def deliver(
    request: Request, webhook_id: _WebhookId, services: ServicesDep, state: StateDep, links: LinksDep
) -> Response:
    """Deliver a call. Once this answers 202 its run is durable; a delivery sent again names the same run."""
    return await _deliver(request, webhook_id, "", services, state, links)


async def deliver_below(
    request: Request, webhook_id: _WebhookId, path: str, services: ServicesDep, state: StateDep, links: LinksDep
) -> Response:
    """Deliver a call below the address."""
    return await _deliver(request, webhook_id, path, services, state, links)


_OTHERS = ["GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
router.add_api_route("/{hook_id}", deliver, methods=_OTHERS, include_in_schema=False, response_model=None)
router.add_api_route(
    "/{hook_id}/{path:path}",
    deliver_below,
    methods=["POST", *_OTHERS],
    include_in_schema=False,
    response_model=None,
)


async def _deliver(
    request: Request, webhook_id: str, path: str, services: Services, state: State, links: Links
) -> Response:
    incoming = Incoming(request, path)
    trigger: WebhookTrigger | None = None
    try:
        known, outcome = await _received(incoming, webhook_id, services, state)
        trigger = known.trigger
        if isinstance(outcome, Response):
            return outcome
        if isinstance(outcome, Challenge):
            services.metrics.deliveries.labels("challenge").inc()
            return _echo(outcome.answer)
        request.state.is_recorded = True  # a delivery says more than a log line, which costs as much as a third of it
        services.metrics.deliveries.labels(outcome.verdict).inc()
        response = await Answers(services, state, links).answer(trigger, outcome)
    except HeadraceError as refusal:
        services.metrics.deliveries.labels(refusal.code).inc()
        remembered = state.webhooks.recall(webhook_id)
        trigger = trigger or (remembered.trigger if remembered else None)
        if trigger is None or isinstance(refusal, Unavailable):
            raise
        response = problem(refusal)
        if isinstance(refusal, MethodNotAllowed):
            response.headers["Allow"] = allowed(trigger.methods)
    response.headers.update(cors_headers(trigger, incoming.headers))
    return response


async def _received(
    incoming: Incoming, webhook_id: str, services: Services, state: State
) -> tuple[KnownWebhook, Received | Challenge | Response]:
    """The delivery, stored, or the answer to a call that is none.

    What is remembered decides nothing but a delivery, which is stored only if it still holds.
    Raises the refusals of `receive` and `Unavailable`.
    """
    known = state.webhooks.recall(webhook_id)
    if known is not None:
        try:
            outcome = await _attempted(known, incoming, services, state)
        except Unavailable:
            raise  # perhaps it was stored
        except HeadraceError:
            outcome = None  # what the database says now decides
        if isinstance(outcome, Received):
            return known, outcome
    for _ in range(MOST_CHANGES):
        known = await to_thread.run_sync(state.webhooks.read, webhook_id, limiter=state.receivers)
        outcome = await _attempted(known, incoming, services, state)
        if outcome is not None:
            return known, outcome
    raise Unavailable("The webhook keeps changing; try again in a moment.")


async def _attempted(
    known: KnownWebhook, incoming: Incoming, services: Services, state: State
) -> Received | Challenge | Response | None:
    """What the call comes to by what is known of the webhook; None, and nothing stored, if that no longer holds."""
    trigger = known.trigger
    if (incoming.path and not trigger.subpath) or "\0" in incoming.path:
        raise WebhookNotFound("There is no webhook here.")
    early = _without_run(known, incoming)
    if early is not None:
        return early
    _demand_network(trigger, incoming.client)
    call = await incoming.read(body_limit(services, known))
    return await receive(services, state, known, call)


def _without_run(known: KnownWebhook, incoming: Incoming) -> Response | None:
    """The answer to a call that is none: OPTIONS, HEAD, and a GET that asks for a proof. Raises `MethodNotAllowed`."""
    trigger, method = known.trigger, incoming.method
    if method == "OPTIONS":
        headers = preflight_headers(trigger, incoming.headers)
        return Response(status_code=204, headers={"Allow": allowed(trigger.methods), **headers})
    if method == "GET" and trigger.challenge is not None:
        answer = _challenged(known, incoming)
        if answer is not None:
            return _echo(answer)
    if method == "HEAD" and "GET" in trigger.methods:
        headers = cors_headers(trigger, incoming.headers)
        return Response(status_code=200, headers={"Allow": allowed(trigger.methods), **headers})
    if method not in trigger.methods:
        raise MethodNotAllowed(f"{method} is not possible here.")
    return None


def _challenged(known: KnownWebhook, incoming: Incoming) -> str | None:
    challenge = known.trigger.challenge
    assert challenge is not None
    question = incoming.query.get(challenge.query)
    if not isinstance(question, str) or len(question) > _LONGEST_CHALLENGE:
        return None
    if challenge.token_query is not None and challenge.token_secret is not None:
        given = incoming.query.get(challenge.token_query)
        secret = known.secrets.get(challenge.token_secret)
        if not secret or not isinstance(given, str) or not hmac.compare_digest(given.encode(), secret.encode()):
            raise BadSignature(f"The token in {challenge.token_query} is missing or wrong.")
    return question


def _echo(text: str) -> Response:
    return Response(text, 200, media_type="text/plain; charset=utf-8")


def _demand_network(trigger: WebhookTrigger, client: str | None) -> None:
    if trigger.allow_ips is None:
        return
    try:
        address = ipaddress.ip_address(client or "")
    except ValueError:
        raise CallerNotAllowed("The caller's address is not known here.") from None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if not any(address in ipaddress.ip_network(network) for network in trigger.allow_ips):
        raise CallerNotAllowed("Calls from this address are not accepted here.")

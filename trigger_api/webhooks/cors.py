"""Calls from scripts of other sites: answered as the webhook says, which by default is not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graph_compiler.language.webhook_trigger import WebhookTrigger

_SECONDS = "600"


def cors_headers(trigger: WebhookTrigger, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of any answer to a call from this origin; none if it is not allowed."""
    if trigger.cors is None:
        return {}
    origin = headers.get("origin")
    if "*" in trigger.cors:
        return {"Access-Control-Allow-Origin": "*"}
    if origin not in trigger.cors:
        return {"Vary": "Origin"}
    return {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}


def preflight_headers(trigger: WebhookTrigger, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of an answer to OPTIONS; what may be called is said to allowed origins only."""
    answer = cors_headers(trigger, headers)
    if "Access-Control-Allow-Origin" in answer and "access-control-request-method" in headers:
        answer["Access-Control-Allow-Methods"] = ", ".join(trigger.methods)
        answer["Access-Control-Max-Age"] = _SECONDS
        if "access-control-request-headers" in headers:
            answer["Access-Control-Allow-Headers"] = headers["access-control-request-headers"]
    return answer


def allowed(methods: Sequence[str]) -> str:
    """The Allow header: HEAD goes with GET, OPTIONS with everything."""
    return ", ".join([*methods, *(["HEAD"] if "GET" in methods else []), "OPTIONS"])

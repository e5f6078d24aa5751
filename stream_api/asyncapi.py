"""The AsyncAPI 3 document of both transports, made from the messages' own models, as OpenAPI is made from routes."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from platform_core.runs.run_event_store import EVENT_TYPES
from stream_api.following.filters import LEVELS
from stream_api.sessions.closing import CODES
from stream_api.sessions.messages import CLIENT_MESSAGES, SERVER_MESSAGES

router = APIRouter(tags=["operation"])

_RUN_ADDRESS = {"runId": {"description": "Id of the run."}}
_EVENT: dict[str, Any] = {
    "type": "object",
    "description": "One entry of a run's log. `id` is the cursor behind it.",
    "properties": {
        "id": {"type": "string"},
        "run_id": {"type": "string"},
        "seq": {"type": "integer", "minimum": 1},
        "ts": {"type": "string", "format": "date-time"},
        "type": {"type": "string", "enum": sorted(EVENT_TYPES)},
        "node": {"type": ["string", "null"]},
        "item": {"type": ["integer", "null"]},
        "level": {"type": "string", "enum": list(LEVELS)},
        "message": {"type": "string"},
        "data": {"type": "object"},
        "final": {"const": True, "description": "Only on the last event of a run."},
        "count": {"type": "integer", "description": "Only on the last event: how many events the run has."},
    },
    "required": ["id", "run_id", "seq", "ts", "type", "node", "item", "level", "message", "data"],
    "additionalProperties": False,
}
_LABELLED = {
    **_EVENT,
    "description": "An event, and the subscription it belongs to.",
    "properties": {"subscription": {"type": "string"}, **_EVENT["properties"]},
    "required": ["subscription", *_EVENT["required"]],
}
_FAREWELL = {
    "type": "object",
    "description": "The stream ends early; come back with the cursor. It has no id and is not an event of the run.",
    "properties": {name: {"type": "string"} for name in ("reason", "detail", "cursor")},
    "required": ["reason", "detail", "cursor"],
    "additionalProperties": False,
}
_CAUGHT_UP = {
    "type": "object",
    "description": "With `follow=false`: what was stored has been sent, and the stream ends. It has no id.",
    "properties": {"cursor": {"type": "string"}},
    "required": ["cursor"],
    "additionalProperties": False,
}


@router.get("/asyncapi.json", operation_id="asyncapi")
def asyncapi() -> dict[str, Any]:
    """This interface's streams as AsyncAPI 3."""
    return document()


def document() -> dict[str, Any]:
    """The AsyncAPI document."""
    channels = {
        "runEvents": _channel(
            "/api/v1/runs/{runId}/events", "Server-Sent Events of one run.", _SSE_MESSAGES, _RUN_ADDRESS
        ),
        "runSocket": _channel(
            "/api/v1/runs/{runId}/ws",
            f"WebSocket of one run. {_codes()}",
            ["event", *map(_name, SERVER_MESSAGES), *map(_name, CLIENT_MESSAGES)],
            _RUN_ADDRESS,
        ),
        "socket": _channel(
            "/api/v1/ws",
            f"WebSocket of many subscriptions. {_codes()}",
            ["labelledEvent", *map(_name, SERVER_MESSAGES), *map(_name, CLIENT_MESSAGES)],
            {},
        ),
    }
    sent = list(map(_name, SERVER_MESSAGES))
    operations = {
        "sendRunEvents": _operation("send", "runEvents", _SSE_MESSAGES),
        "sendToRunSocket": _operation("send", "runSocket", ["event", *sent]),
        "receiveFromRunSocket": _operation("receive", "runSocket", list(map(_name, CLIENT_MESSAGES))),
        "sendToSocket": _operation("send", "socket", ["labelledEvent", *sent]),
        "receiveFromSocket": _operation("receive", "socket", list(map(_name, CLIENT_MESSAGES))),
    }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Headrace streams", "version": version("headrace")},
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": _messages(), "securitySchemes": _SECURITY},
    }


_SSE_MESSAGES = ["event", "farewell", "caughtUp"]
_SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A bearer token or API key."},
    "ticket": {"type": "httpApiKey", "in": "query", "name": "ticket", "description": "One use, one minute."},
}


def _messages() -> dict[str, Any]:
    found: dict[str, Any] = {
        "event": {"summary": _EVENT["description"], "payload": _EVENT},
        "labelledEvent": {"summary": _LABELLED["description"], "payload": _LABELLED},
        "farewell": {"name": "going_away", "summary": _FAREWELL["description"], "payload": _FAREWELL},
        "caughtUp": {"name": "caught_up", "summary": _CAUGHT_UP["description"], "payload": _CAUGHT_UP},
    }
    for model in (*SERVER_MESSAGES, *CLIENT_MESSAGES):
        found[_name(model)] = {"summary": (model.__doc__ or "").strip().splitlines()[0], "payload": _schema(model)}
    return found


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    # Definitions stand in place: a reference of pydantic's would point outside of the payload.
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})

    def resolved(part: Any) -> Any:
        if isinstance(part, list):
            return [resolved(item) for item in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            rest = {name: value for name, value in part.items() if name != "$ref"}
            return resolved(definitions[part["$ref"].rpartition("/")[2]]) | rest
        return {name: resolved(value) for name, value in part.items()}

    found: dict[str, Any] = resolved(schema)
    return found


def _name(model: type[BaseModel]) -> str:
    return model.__name__[0].lower() + model.__name__[1:]


def _codes() -> str:
    return "Close codes: " + " ".join(f"{code}: {meaning}" for code, meaning in CODES.items())


def _channel(address: str, description: str, messages: list[str], parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        "address": address,
        "description": description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "parameters": parameters,
    }


def _operation(action: str, channel: str, messages: list[str]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages],
        "security": [{"$ref": f"#/components/securitySchemes/{name}"} for name in _SECURITY],
    }

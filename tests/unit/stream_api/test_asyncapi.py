"""The AsyncAPI document: whole, and true of the real messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft7Validator, Draft202012Validator
from pydantic import BaseModel

from stream_api.asyncapi import document
from stream_api.sessions import messages
from tests.unit.stream_api.memory_log import event

DOCUMENT = document()


def references(part: Any) -> list[str]:
    if isinstance(part, dict):
        found = [part["$ref"]] if "$ref" in part else []
        return found + [reference for value in part.values() for reference in references(value)]
    return [reference for item in part for reference in references(item)] if isinstance(part, list) else []


def resolve(reference: str) -> Any:
    place = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        place = place[step]
    return resolve(place["$ref"]) if "$ref" in place else place


def test_it_is_valid_asyncapi_3() -> None:
    schema = orjson.loads(Path(__file__).with_name("asyncapi-3.0.0.schema.json").read_bytes())
    assert [error.message for error in Draft7Validator(schema).iter_errors(DOCUMENT)] == []


def test_every_reference_leads_somewhere() -> None:
    assert all(resolve(reference) for reference in references(DOCUMENT))


def test_it_describes_every_address() -> None:
    assert {channel["address"] for channel in DOCUMENT["channels"].values()} == {
        "/api/v1/runs/{runId}/events",
        "/api/v1/runs/{runId}/ws",
        "/api/v1/ws",
    }


@pytest.mark.parametrize(
    "message",
    [
        messages.Ready(user="ada"),
        messages.Subscribed(id="a"),
        messages.Position(id="a", cursor="x"),
        messages.Unsubscribed(id="a", reason="final", detail="", cursor=None),
        messages.GoingAway(reason="stopping", detail="", cursors={"a": "3", "b": None}),
        messages.Refusal(id=None, code="bad_cursor", detail=""),
        messages.Pong(data=None),
        messages.Canceling(run="r"),
        messages.parse('{"op":"subscribe","id":"a","run":"r","filters":{"types":["log"]}}'),
        messages.parse('{"op":"authenticate","token":"t"}'),
        messages.parse('{"op":"ack","count":2}'),
    ],
    ids=lambda message: message.op,
)
def test_messages_are_as_described(message: BaseModel) -> None:
    name = type(message).__name__
    schema = DOCUMENT["components"]["messages"][name[0].lower() + name[1:]]["payload"]
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(orjson.loads(message.model_dump_json()))


@pytest.mark.parametrize("kind", ["log", "run.succeeded"])
def test_events_are_as_described(kind: str) -> None:
    found = orjson.loads(event(1, kind).json)
    Draft202012Validator(DOCUMENT["components"]["messages"]["event"]["payload"]).validate(found)
    labelled = DOCUMENT["components"]["messages"]["labelledEvent"]["payload"]
    Draft202012Validator(labelled).validate({"subscription": "a", **found})

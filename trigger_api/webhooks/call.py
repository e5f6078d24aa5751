"""A webhook call as it came in, and what triggers' templates see of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qs

from fastapi import Depends, Request

from platform_core.web.strict_json import loads

# Whoever calls may authenticate to a proxy before us; that is not for templates, events or the delivery log.
_CREDENTIALS = frozenset({"authorization", "proxy-authorization", "cookie"})


@dataclass(frozen=True)
class Call:
    """Header names are lower case; the body is exactly the bytes that were signed."""

    method: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body's value, also from GitHub's form encoding. Raises `json.JSONDecodeError`."""
        if self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return loads(_payload(self.body))
        return loads(self.body)


def _payload(form: bytes) -> str:
    try:
        fields = parse_qs(form.decode("latin-1"), max_num_fields=100)
    except ValueError:
        fields = {}
    if len(fields.get("payload", [])) != 1:
        raise json.JSONDecodeError("a form without its field payload", "", 0)
    return fields["payload"][0]


async def _call(request: Request) -> Call:
    return Call(
        method=request.method,
        headers={name: value for name, value in request.headers.items() if name not in _CREDENTIALS},
        query=dict(request.query_params),
        body=await request.body(),
    )


CallDep = Annotated[Call, Depends(_call)]

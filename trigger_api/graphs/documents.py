"""Graph documents as request bodies: read whole and within the limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from graph_compiler.language.loading import Syntax
from platform_core.errors import TooLarge
from platform_core.web.services import services_of

_YAML_TYPES = frozenset({"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"})

REQUEST_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": (
            "The graph document as JSON; with `Content-Type: application/yaml` as YAML. "
            "`GET /api/v1/schema` is its JSON Schema."
        ),
        # YAML is not listed: generators of clients cannot write it, and say so.
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}
"""How OpenAPI shows a route that takes a document."""


@dataclass(frozen=True)
class Document:
    """The text of a document; without a content type that says it, the syntax is found out."""

    text: bytes
    syntax: Syntax | None


async def _document(request: Request) -> Document:
    text = await request.body()
    limit = services_of(request).settings.max_document_bytes
    if len(text) > limit:
        raise TooLarge(f"The document has {len(text)} bytes, more than the {limit} allowed.")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in _YAML_TYPES:
        return Document(text, "yaml")
    return Document(text, "json" if kind == "application/json" else None)


DocumentDep = Annotated[Document, Depends(_document)]

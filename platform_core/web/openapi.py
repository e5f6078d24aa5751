"""OpenAPI documents from which clients are generated without a warning: plain names, and one schema of errors."""

from __future__ import annotations

import copy
import re
from typing import Any

from fastapi import FastAPI

from platform_core.web.problems import ISSUE, MEDIA_TYPE

_FRAMEWORKS_OWN = ("HTTPValidationError", "ValidationError")
_METHODS = frozenset({"get", "post", "put", "patch", "delete"})


def install_openapi(app: FastAPI) -> None:
    """Let the application answer the cleaned document."""
    made = app.openapi

    def cleaned() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _clean(copy.deepcopy(made()))
        return app.openapi_schema

    app.openapi = cleaned  # type: ignore[method-assign]  # FastAPI documents this as the way to change it


def _clean(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for operations in document["paths"].values():
        for method, operation in operations.items():
            if method in _METHODS:
                _clean_responses(operation)
    for name in _FRAMEWORKS_OWN:
        schemas.pop(name, None)
    schemas["Issue"] = {"title": "Issue", **ISSUE}
    renamed = {name: plain for name in schemas if (plain := _plain(name)) != name}
    for name, plain in renamed.items():
        schemas[plain] = {**schemas.pop(name), "title": plain}
    addresses = {f"#/components/schemas/{name}": f"#/components/schemas/{plain}" for name, plain in renamed.items()}
    cleaned: dict[str, Any] = _readdressed(document, addresses)
    return cleaned


def _clean_responses(operation: dict[str, Any]) -> None:
    """Without the framework's own form of a malformed request, which is answered as a problem like all errors."""
    responses = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]
    for status, response in responses.items():
        schema = response.get("content", {}).get(MEDIA_TYPE, {}).get("schema")
        if schema is None:
            continue
        schema["title"] = f"{_camel(operation['operationId'])}Problem{status}"
        if "issues" in schema["properties"]:
            schema["properties"]["issues"]["items"] = {"$ref": "#/components/schemas/Issue"}


def _plain(name: str) -> str:
    """`Body_create_token` as `CreateTokenForm`, `PageOf_RunAnswer_` as `RunPage`, any other name as it is."""
    if name.startswith("Body_"):
        return f"{_camel(name.removeprefix('Body_'))}Form"
    page = re.fullmatch(r"PageOf_([A-Za-z]+?)(Answer|Entry|Summary)?_", name)
    return name if page is None else f"{page[1]}Page"


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _readdressed(part: Any, addresses: dict[str, str]) -> Any:
    if isinstance(part, dict):
        return {
            key: addresses.get(each, each) if key == "$ref" else _readdressed(each, addresses)
            for key, each in part.items()
        }
    return [_readdressed(each, addresses) for each in part] if isinstance(part, list) else part

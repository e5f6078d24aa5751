"""How a request says who asks: by secrets, which are read when the node runs and shown nowhere."""

from __future__ import annotations

from base64 import b64encode
from typing import Annotated, Literal

from pydantic import Field

from graph_compiler.nodes.node_type import NAMES_SECRET, NodeConfig
from graph_compiler.nodes.runtime import NodeRuntime


class BasicAuth(NodeConfig):
    """A name and a password (RFC 7617)."""

    type: Literal["basic"] = Field(description="The kind.")
    username: str = Field(description="The name.")
    secret: str = Field(json_schema_extra=NAMES_SECRET, description="Name of the secret with the password.")


class BearerAuth(NodeConfig):
    """A token (RFC 6750)."""

    type: Literal["bearer"] = Field(description="The kind.")
    secret: str = Field(json_schema_extra=NAMES_SECRET, description="Name of the secret with the token.")


class ApiKeyAuth(NodeConfig):
    """A key in a header or query parameter of its own."""

    type: Literal["api_key"] = Field(description="The kind.")
    place: Literal["header", "query"] = Field(default="header", description="Where the key is sent.")
    name: str = Field(default="x-api-key", description="Name of the header or query parameter.")
    secret: str = Field(json_schema_extra=NAMES_SECRET, description="Name of the secret with the key.")


Auth = Annotated[BasicAuth | BearerAuth | ApiKeyAuth, Field(discriminator="type")]


def credentials(auth: Auth | None, runtime: NodeRuntime) -> tuple[dict[str, str], dict[str, str]]:
    """The headers and the query parameters that carry them. Raises `NodeError` secret_missing."""
    if auth is None:
        return {}, {}
    secret = runtime.secret(auth.secret)
    if isinstance(auth, BasicAuth):
        packed = b64encode(f"{auth.username}:{secret}".encode()).decode("ascii")
        return {"authorization": f"Basic {packed}"}, {}
    if isinstance(auth, BearerAuth):
        return {"authorization": f"Bearer {secret}"}, {}
    sent = {auth.name: secret}
    return (sent, {}) if auth.place == "header" else ({}, sent)

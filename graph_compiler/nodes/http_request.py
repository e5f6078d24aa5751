"""`http.request`: one HTTP request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from ..durations import Duration
from ..errors import NodeError
from ..node_type import TEMPLATED, ConfigDefect, FailureKind, NodeCall, NodeConfig, NodeType, Port, Ports

Scalar = str | int | float | bool
HTTP_FAILURES = (
    FailureKind("http_bad_url", "The URL is not an absolute http or https URL."),
    FailureKind("http_bad_request", "The request cannot be written: a method or header that HTTP does not know."),
    FailureKind("http_refused_target", "The target's address is not public, and private ones are not allowed."),
    FailureKind("http_too_large", "The answer is larger than the limit."),
    FailureKind("http_timeout", "No answer in time.", True),
    FailureKind("http_unreachable", "No answer at all.", True),
    FailureKind("http_bad_answer", "The answer cannot be read.", True),
)


class HttpRequestConfig(NodeConfig):
    """Config of `http.request`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "url": "https://api.example.com/repos/{{ params.repository }}",
                    "headers": {"authorization": "Bearer {{ secrets.api_token }}"},
                    "query": {"limit": "{{ params.limit }}"},
                    "timeout": "10s",
                }
            ]
        }
    )

    url: Annotated[str, TEMPLATED] = Field(description="Absolute http or https URL.")
    method: Annotated[Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"], TEMPLATED] = Field(
        default="GET", description="The request's method."
    )
    headers: Annotated[dict[str, Annotated[str, TEMPLATED]], TEMPLATED] = Field(
        default_factory=dict, description="Headers by name."
    )
    query: Annotated[dict[str, Scalar | list[Scalar] | None], TEMPLATED] = Field(
        default_factory=dict, description="Query parameters; a list repeats its name, null leaves it out."
    )
    json_: Annotated[Any, TEMPLATED] = Field(
        default=None, alias="json", description="Sent as a JSON body, unless null."
    )
    body: Annotated[str | None, TEMPLATED] = Field(default=None, description="Sent as it is, as UTF-8 text.")
    timeout: Duration = Field(default=30.0, description="Of the whole request.", examples=["10s"])
    fail_on_status: bool = Field(default=True, description="Whether an answer of 400 or above fails the node.")


class HttpRequest(NodeType[HttpRequestConfig]):
    """See the module."""

    name = "http.request"
    summary = "Send an HTTP request and read the answer."
    config_model = HttpRequestConfig
    failures = (FailureKind("http_status", "The answer was 400 or above.", True), *HTTP_FAILURES)
    secrets = True

    def ports(self, config: HttpRequestConfig) -> Ports:
        return Ports(
            inputs=(),
            outputs=(
                Port("status", "integer", "The answer's status code."),
                Port("headers", "object", "The answer's headers, names in lower case."),
                Port("body", "any", "The answer's JSON, or else its text."),
            ),
        )

    def defects(self, config: HttpRequestConfig) -> Iterator[ConfigDefect]:
        if config.json_ is not None and config.body is not None:
            yield ConfigDefect("bad_value", "/body", "`json` and `body` exclude each other")

    def execute(self, call: NodeCall[HttpRequestConfig]) -> Mapping[str, Any]:
        config = call.config
        answer = call.runtime.http(
            config.method,
            config.url,
            headers=config.headers,
            params={name: value for name, value in config.query.items() if value is not None},
            json=config.json_,
            body=config.body,
            timeout=config.timeout if call.timeout is None else min(config.timeout, call.timeout),
        )
        if config.fail_on_status and answer.status >= 400:
            raise NodeError("http_status", f"{config.method} answered {answer.status}")
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return {"status": answer.status, "headers": headers, "body": answer.body}

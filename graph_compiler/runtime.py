"""The door through which a running node reaches the world; `definitions` implements it, `testing` fakes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Level = Literal["debug", "info", "warning", "error"]
OnLine = Callable[[str, str], None]


@dataclass(frozen=True)
class HttpAnswer:
    """What a server answered: `body` is the parsed JSON if the answer is JSON, else its text."""

    status: int
    headers: Mapping[str, str]
    body: Any


class NodeRuntime(Protocol):
    """What a node may use while it runs. Every method raises `NodeError` with a kind when it cannot do its work."""

    @property
    def params(self) -> Mapping[str, Any]:
        """The run's params, defaults applied."""

    @property
    def trigger(self) -> Mapping[str, Any]:
        """What started the run: `kind`, `id`, and what the trigger brought along."""

    @property
    def run(self) -> Mapping[str, Any]:
        """The run itself: `id`, `graph`, `version`, `owner`."""

    def secret(self, name: str) -> str:
        """The owner's secret of that name; `NodeError` of kind `secret_missing` if there is none."""

    def masked(self, value: Any) -> Any:
        """The JSON value with every secret that this run has read replaced by `***`, in keys too."""

    def recall(self, key: str) -> Mapping[str, Any] | None:
        """The outputs that a run of this graph remembered under the key, if their time has not passed."""

    def remember(self, key: str, outputs: Mapping[str, Any], ttl: float) -> None:
        """Keep outputs for later runs of this graph for `ttl` seconds."""

    def run_code(self, code: str, arguments: Mapping[str, Any], *, timeout: float | None, on_line: OnLine) -> Any:
        """Call `main(**arguments)` of `code` in another process and return its JSON value.

        `timeout` is in seconds; `on_line(stream, text)` gets each line of `stdout` and `stderr` as it comes.
        Raises `NodeError`: code_error, code_timeout, code_exit, code_memory, code_output, code_interrupted,
        bad_value, canceled.
        """

    def http(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        params: Mapping[str, Any],
        json: Any,
        body: str | None,
        timeout: float,
    ) -> HttpAnswer:
        """Send one request; `json` is sent unless it is None, then `body`. `timeout` is in seconds.

        Raises `NodeError`: http_refused_target, http_timeout, http_unreachable, http_too_large, http_bad_url,
        http_bad_request, http_bad_answer, canceled.
        """

    def wait(self, seconds: float) -> None:
        """Return after `seconds`, or earlier by an exception when the run is canceled."""

    def emit(
        self,
        type: str,
        message: str,
        *,
        level: Level = "info",
        node: str | None = None,
        item: int | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """Publish a live event of this run: `log`, `stdout`, `stderr` or `node.progress`."""

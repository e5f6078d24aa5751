"""The door through which a running node reaches the world; `definitions` implements it, `testing` fakes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal, Protocol

from graph_compiler.nodes.network import Network

Level = Literal["debug", "info", "warning", "error"]
OnLine = Callable[[str, str], None]
OnPublish = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True)
class HttpAnswer:
    """What a server answered: `body` is the parsed JSON if the answer is JSON, its text, its bytes, or a file value."""

    status: int
    headers: Mapping[str, str | list[str]]
    """A field that came several times is one list, its values joined by commas; only `set-cookie` is a list then."""
    body: Any
    url: str | None = None
    """Where the answer came from, after redirects."""


@dataclass(frozen=True)
class HttpUpload:
    """A request's body beside JSON and text: a form, with files or without, or one file as it is."""

    form: Mapping[str, str | list[str]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    """References by field name; with one, the form is sent as multipart/form-data."""
    file: str | None = None


@dataclass(frozen=True)
class HttpCall:
    """One request: `json` is sent unless it is None, then `body`, then `upload`. `timeout` is in seconds."""

    method: str
    url: str
    timeout: float = field(kw_only=True)
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    """Added to the URL's own, which is sent as it is written."""
    json: Any = None
    body: str | bytes | None = None
    upload: HttpUpload | None = None
    save_to: str | None = None
    """A path in the owner's files: the body of an answer below 400 is streamed there."""
    private_headers: frozenset[str] = frozenset()
    """They do not follow a redirect to another origin."""


@dataclass(frozen=True)
class SqlStatement:
    """A statement with its bound parameters: one set of them, or many for a batch."""

    text: str
    params: Mapping[str, Any] = field(default_factory=dict)
    batch: Sequence[Mapping[str, Any]] | None = None
    max_rows: int = 10_000


@dataclass(frozen=True)
class SqlAnswer:
    """What a statement gave: its rows as JSON objects, and how many rows it touched or gave."""

    rows: list[dict[str, Any]]
    row_count: int


@dataclass(frozen=True)
class Command:
    """A shell script with its environment and standard input."""

    script: str
    env: Mapping[str, str] = field(default_factory=dict)
    stdin: str | bytes = ""
    network: Network | None = None
    """What it may reach; None: what the operator says."""


@dataclass(frozen=True)
class CommandAnswer:
    """How a script ended; its output is cut at the limit."""

    exit_code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Email:
    """A message; `attachments` are file references."""

    sender: str
    to: Sequence[str]
    subject: str
    text: str
    html: str | None = None
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    reply_to: str | None = None
    attachments: Sequence[str] = ()


@dataclass(frozen=True)
class Message:
    """What is published: a topic is a routing key (AMQP), a stream (Redis), a topic (Kafka) or a subject (NATS)."""

    topic: str
    body: bytes
    key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    exchange: str = ""


@dataclass(frozen=True)
class ContainerTask:
    """A container to run to its end; resources are Kubernetes quantities."""

    image: str
    command: Sequence[str]
    env: Mapping[str, str]
    cpu: str | None
    memory: str | None


class FileSink(Protocol):
    """A file being written; it exists under its name only when all of it is there."""

    def write(self, data: bytes, /) -> int:
        """Append the bytes; their number. Raises `NodeError` file_too_large."""

    @property
    def value(self) -> dict[str, Any]:
        """The file value, once the file is complete."""


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

    def run_code(
        self,
        code: str,
        arguments: Mapping[str, Any],
        *,
        env: Mapping[str, str] | None = None,
        timeout: float | None,
        on_line: OnLine,
        on_publish: OnPublish | None = None,
        network: Network | None = None,
    ) -> Any:
        """Call `main(**arguments)` of `code` in another process and return its JSON value.

        `env` adds environment variables. `network` is what it may reach, None what the operator says.
        `timeout` is in seconds; `on_line(stream, text)` gets each line of `stdout` and `stderr` as it comes,
        `on_publish(kind, content)` what the code publishes: progress, emit, log, truncated.
        Raises `NodeError`: code_error, code_timeout, code_exit, code_memory, code_output, code_interrupted,
        network_refused, network_unavailable, sandbox_weak, bad_value, canceled.
        """

    def http(self, call: HttpCall) -> HttpAnswer:
        """Send one request.

        Raises `NodeError`: http_refused_target, http_timeout, http_unreachable, http_too_large, http_bad_url,
        http_bad_request, http_bad_answer, canceled, and what `open_file` and `create_file` raise.
        """

    def run_command(self, command: Command, *, timeout: float | None, on_line: OnLine) -> CommandAnswer:
        """Run a shell script in the sandbox of `run_code`, with its limits and errors."""

    def open_file(
        self, reference: str, *, connection: str | None = None, timeout: float = 60.0
    ) -> AbstractContextManager[BinaryIO]:
        """A file for reading; `reference` is canonical, `connection` the JSON of a store's options.

        Raises `NodeError`: file_bad_path, file_missing, file_unavailable, file_too_large, file_refused, http_*.
        """

    def create_file(
        self, reference: str, *, media_type: str | None = None, connection: str | None = None
    ) -> AbstractContextManager[FileSink]:
        """A file for writing; it replaces one of its name when the block ends without an error.

        Raises `NodeError` as `open_file`.
        """

    def list_files(self, folder: str, *, limit: int, connection: str | None = None) -> list[dict[str, Any]]:
        """File values of all files below a folder ("" is the owner's own), by name, without their SHA-256.

        Raises `NodeError` as `open_file`, and file_too_many beyond the limit.
        """

    def sql(self, url: str, statement: SqlStatement, *, timeout: float) -> SqlAnswer:
        """Execute one statement in a transaction of its own; `url` is SQLAlchemy's.

        Raises `NodeError`: sql_bad_url, sql_refused_target, sql_unreachable, sql_timeout, sql_error,
        sql_constraint, sql_too_large, bad_value, canceled.
        """

    def send_email(self, url: str, email: Email, *, timeout: float) -> str:
        """Send by the SMTP server of `url`; the message's id.

        Raises `NodeError`: email_bad_url, email_bad_message, email_refused, email_unreachable, and as `open_file`.
        """

    def publish(self, url: str, message: Message, *, timeout: float) -> str | None:
        """Publish by the broker of `url`, and return when it has confirmed; the id it gave, if it gives any.

        Raises `NodeError`: publish_bad_url, publish_unavailable, publish_refused, publish_unreachable.
        """

    def run_container(self, task: ContainerTask, *, timeout: float | None, on_line: OnLine) -> Any:
        """Run a container to its end. Raises `NodeError` container_unavailable where no runtime is configured."""

    def clock(self) -> float:
        """Seconds of a clock that only goes forward."""

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

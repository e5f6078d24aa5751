"""Fakes of the services that nodes reach: files in memory, and recorded calls with given answers."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from graph_compiler.nodes.runtime import (
    Command,
    CommandAnswer,
    ContainerTask,
    Email,
    HttpAnswer,
    HttpUpload,
    Message,
    OnLine,
    SqlAnswer,
    SqlStatement,
)
from graph_compiler.values.errors import NodeError
from graph_compiler.values.file_values import SCHEME, file_value, media_type_of


class MemorySink:
    """A file being written to memory."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.value: dict[str, Any] = {}

    def write(self, data: bytes, /) -> int:
        self.content += data
        return len(data)


@dataclass
class MemoryServices:
    """The part of a fake runtime that reaches services."""

    answer: Callable[[str, str], HttpAnswer] | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    """Content by reference."""
    sql_answer: SqlAnswer | NodeError = field(default_factory=lambda: SqlAnswer([], 0))
    command_answer: CommandAnswer = field(default_factory=lambda: CommandAnswer(0, "", ""))
    time: float = 0.0
    calls: list[tuple[str, Any]] = field(default_factory=list)
    """Each use of the runtime as (method, what it was asked), in order."""

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
        upload: HttpUpload | None = None,
        save_to: str | None = None,
        private_headers: frozenset[str] = frozenset(),
    ) -> HttpAnswer:
        asked = {"headers": headers, "params": params, "json": json, "body": body, "timeout": timeout}
        extras = {"upload": upload, "save_to": save_to, "private_headers": private_headers}
        asked |= {name: value for name, value in extras.items() if value}
        self.calls.append(("http", {"method": method, "url": url, **asked}))
        if self.answer is None:
            raise NodeError("http_unreachable", f"{url} does not answer")
        return self.answer(method, url)

    def run_command(self, command: Command, *, timeout: float | None, on_line: OnLine) -> CommandAnswer:
        self.calls.append(("run_command", command))
        for line in self.command_answer.stdout.splitlines():
            on_line("stdout", line)
        return self.command_answer

    @contextmanager
    def open_file(self, reference: str, *, connection: str | None = None, timeout: float = 60.0) -> Iterator[BinaryIO]:
        if reference not in self.files:
            raise NodeError("file_missing", f"there is no {reference}", retryable=False)
        yield io.BytesIO(self.files[reference])

    @contextmanager
    def create_file(
        self, reference: str, *, media_type: str | None = None, connection: str | None = None
    ) -> Iterator[MemorySink]:
        sink = MemorySink()
        yield sink
        self.files[reference] = bytes(sink.content)
        sink.value = self._value(reference) | ({"media_type": media_type} if media_type else {})

    def list_files(self, folder: str, *, limit: int, connection: str | None = None) -> list[dict[str, Any]]:
        lead = f"{folder}/" if folder else SCHEME
        found = sorted(reference for reference in self.files if reference.startswith(lead))
        if len(found) > limit:
            raise NodeError("file_too_many", f"more than {limit} files are here", retryable=False)
        return [self._value(reference) | {"sha256": None} for reference in found]

    def sql(self, url: str, statement: SqlStatement, *, timeout: float) -> SqlAnswer:
        self.calls.append(("sql", {"url": url, "statement": statement, "timeout": timeout}))
        if isinstance(self.sql_answer, NodeError):
            raise self.sql_answer
        return self.sql_answer

    def send_email(self, url: str, email: Email, *, timeout: float) -> str:
        self.calls.append(("send_email", {"url": url, "email": email, "timeout": timeout}))
        return "<1@test>"

    def publish(self, url: str, message: Message, *, timeout: float) -> str | None:
        self.calls.append(("publish", {"url": url, "message": message, "timeout": timeout}))
        return "1-0"

    def run_container(self, task: ContainerTask, *, timeout: float | None, on_line: OnLine) -> Any:
        self.calls.append(("run_container", task))
        return {"ok": True}

    def clock(self) -> float:
        return self.time

    def _value(self, reference: str) -> dict[str, Any]:
        content = self.files[reference]
        digest = hashlib.sha256(content).hexdigest()
        return file_value(reference, size=len(content), media_type=media_type_of(reference), sha256=digest)

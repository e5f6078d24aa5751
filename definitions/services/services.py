"""What a node reaches beyond its run: the web, files, shells, databases, mail, brokers; each bounded and checked."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from definitions.sandbox.interpreter import CodeInterpreter
from definitions.services import brokers
from definitions.services.code_rules import CodeRules
from definitions.services.file_store import FileStore
from definitions.services.file_writing import HashedFile
from definitions.services.http_client import HttpClient, Upload
from definitions.services.mail_client import MailClient
from definitions.services.service_targets import ServiceRefused, pinned_address, refusal
from definitions.services.shell_service import run_command
from definitions.shared.masking import Masking
from graph_compiler.nodes.runtime import (
    Command,
    CommandAnswer,
    ContainerTask,
    Email,
    HttpAnswer,
    HttpCall,
    HttpUpload,
    Message,
    OnLine,
    SqlAnswer,
    SqlStatement,
)
from graph_compiler.nodes.services.sql_text import read_sql
from graph_compiler.values.errors import NodeError
from graph_compiler.values.file_values import media_type_of, name_of
from platform_core.settings import Settings
from platform_core.sql.client import SqlCall, SqlClient, SqlFailed

if TYPE_CHECKING:
    from definitions.kubernetes.containers import ContainerPods

PORTION = 256 * 1024


class Services:
    """The part of a `NodeRuntime` that reaches services, for the nodes of one owner."""

    def __init__(
        self,
        settings: Settings,
        owner: str,
        *,
        http: HttpClient,
        interpreter: Callable[[], CodeInterpreter],
        masking: Masking | None = None,
    ) -> None:
        self._masking = masking or Masking()
        root = settings.files_url or str(settings.home / "files")
        folder = None if "://" in root else Path(root) / owner
        self._http = http
        self._interpreter = interpreter
        self._code_rules = CodeRules.of(settings, owner)
        self._allow_private = settings.services_allow_private
        self._files = FileStore(
            root,
            owner,
            http=http,
            max_bytes=settings.max_file_bytes,
            allow_private=self._allow_private,
        )
        self._sql = SqlClient(sqlite_folder=folder, pin=self._pinned)
        self._mail = MailClient(allow_private=self._allow_private)

    def http(self, call: HttpCall) -> HttpAnswer:
        with self._upload(call.upload) as content:
            if call.save_to is None:
                return self._http.send(call, content)
            try:
                with self._files.create(call.save_to) as sink:
                    answer = self._http.send(call, content, sink=sink.write)
                    if answer.status >= 400:
                        raise _NotSaved(answer)
            except _NotSaved as failed:
                return failed.answer
            return HttpAnswer(answer.status, answer.headers, sink.value)

    def run_command(self, command: Command, *, timeout: float | None, on_line: OnLine) -> CommandAnswer:
        network = self._code_rules.admit(command.network)
        how: Any = {"timeout": timeout, "on_line": on_line, "masking": self._masking, "network": network}
        return run_command(self._interpreter(), command, **how)

    def open_file(
        self, reference: str, *, connection: str | None = None, timeout: float = 60.0
    ) -> contextlib.AbstractContextManager[BinaryIO]:
        return self._files.open(reference, connection=connection, timeout=timeout)

    def create_file(
        self, reference: str, *, media_type: str | None = None, connection: str | None = None
    ) -> contextlib.AbstractContextManager[HashedFile]:
        return self._files.create(reference, media_type=media_type, connection=connection)

    def list_files(self, folder: str, *, limit: int, connection: str | None = None) -> list[dict[str, Any]]:
        return self._files.list(folder, limit=limit, connection=connection)

    def sql(self, url: str, statement: SqlStatement, *, timeout: float) -> SqlAnswer:
        call = SqlCall(read_sql(statement.text).escaped, statement.params, statement.batch, statement.max_rows, timeout)
        try:
            result = self._sql.execute(url, call)
        except SqlFailed as error:
            raise NodeError(error.kind, error.message, retryable=error.retryable) from None
        return SqlAnswer(result.rows, result.row_count)

    def send_email(self, url: str, email: Email, *, timeout: float) -> str:
        return self._mail.send(url, email, timeout=timeout, open_file=self._files.open)

    def publish(self, url: str, message: Message, *, timeout: float) -> str | None:
        return brokers.publish(url, message, timeout=timeout, allow_private=self._allow_private)

    def run_container(self, task: ContainerTask, *, timeout: float | None, on_line: OnLine) -> Any:
        containers = self._container_pods
        if containers is None:
            raise NodeError("container_unavailable", "this installation has no container runtime", retryable=False)
        return containers.run(task, timeout=timeout, on_line=on_line)

    @cached_property
    def _container_pods(self) -> ContainerPods | None:
        return None

    def clock(self) -> float:
        return time.monotonic()

    def _cancel_services(self) -> None:
        self._http.cancel_all()
        self._sql.cancel_all()
        containers = self.__dict__.get("_container_pods")
        if containers is not None:
            containers.cancel_all()

    def _pinned(self, host: str, port: int) -> str:
        try:
            return pinned_address(host, port, allow_private=self._allow_private)
        except ServiceRefused:
            said = refusal("the database's address")
            raise SqlFailed("sql_refused_target", said) from None
        except OSError:
            raise SqlFailed("sql_unreachable", "the database's host has no address", retryable=True) from None

    @contextlib.contextmanager
    def _upload(self, upload: HttpUpload | None) -> Iterator[Upload | None]:
        if upload is None:
            yield None
            return
        with contextlib.ExitStack() as opened:
            if upload.file is not None:
                file = opened.enter_context(self._files.open(upload.file))
                size = file.seek(0, 2)
                headers = {"content-length": str(size), "content-type": media_type_of(upload.file)}
                yield Upload(content=_Portions(file), headers=headers)
                return
            files = {
                field: (name_of(reference), opened.enter_context(self._files.open(reference)), media_type_of(reference))
                for field, reference in upload.files.items()
            }
            yield Upload(form=upload.form, files=files)


class _Portions:
    """A file's bytes, from the beginning each time: a redirect may ask for them again."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(0)
        while portion := self._file.read(PORTION):
            yield portion


class _NotSaved(Exception):
    """Ends a download whose answer is an error, so that its file does not come to be."""

    def __init__(self, answer: HttpAnswer) -> None:
        super().__init__(answer.status)
        self.answer = answer

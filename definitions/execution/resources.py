"""What a node may use while it runs: the run's params and trigger, secrets, code, HTTP, time, live events."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from definitions.execution.context import ProcessContext
from definitions.execution.current_run import Cancellation
from definitions.execution.output_limits import OutputLimits
from definitions.instance.run_events import NewEvent
from definitions.services.services import Services
from definitions.shared.masking import Masking
from definitions.shared.patience import patient_read, read_patiently
from graph_compiler.nodes.asking import Answer
from graph_compiler.nodes.network import Network
from graph_compiler.nodes.runtime import Level, OnLine, OnPublish
from graph_compiler.values.binary import as_plain, dumps
from graph_compiler.values.errors import NodeError, Stopped
from graph_compiler.values.values import as_json
from platform_core.audit.audit_store import record_secret_read
from platform_core.audit.entry import ActorKind, Author
from platform_core.database.engine import transaction
from platform_core.errors import SecretSourceAway
from platform_core.identity.secret_store import read_secret
from platform_core.runs.execution_store import Execution
from platform_core.runs.result_store import read_result, store_result
from platform_core.runs.wait_store import GivenAnswer, answers_of, close_wait
from platform_core.secret_sources.source import FoundSecret, SourceName

if TYPE_CHECKING:
    from definitions.kubernetes.containers import ContainerPods

Tell = Callable[[NewEvent], None]


class RunRuntime(Services):
    """The runtime of one run in this process; `tell` takes what nodes say."""

    def __init__(
        self,
        process: ProcessContext,
        execution: Execution,
        tell: Tell,
        *,
        cancellation: Cancellation,
        masking: Masking,
    ) -> None:
        self._process = process
        self._execution = execution
        self._tell = tell
        self._cancellation = cancellation
        super().__init__(
            process.settings,
            execution.owner,
            http=process.http,
            interpreter=lambda: process.interpreter,
            masking=masking,
        )
        self._limits = OutputLimits()
        self._noted: set[str] = set()
        cancellation.subscribe(self._cancel)

    @cached_property
    def params(self) -> Mapping[str, Any]:
        given: Mapping[str, Any] = as_json(self._execution.params, "params")
        return given

    @property
    def trigger(self) -> Mapping[str, Any]:
        return self._execution.trigger

    @property
    def run(self) -> Mapping[str, Any]:
        execution = self._execution
        return {
            "id": execution.run_id,
            "graph": execution.graph,
            "version": execution.version,
            "owner": execution.owner,
        }

    @cached_property
    def _container_pods(self) -> ContainerPods | None:
        settings = self._process.settings
        if not settings.has_containers:
            return None
        # Here, because the Kubernetes client takes long to import and few runs need it.
        from kubernetes.config import load_incluster_config

        from definitions.kubernetes.api import KubernetesApi
        from definitions.kubernetes.containers import ContainerPods

        load_incluster_config()
        return ContainerPods(settings, self._execution, KubernetesApi(settings.kubernetes_namespace))

    def secret(self, name: str) -> str:
        found = self._found_secret(name)
        self._masking.add(found.value)
        self._note_read(name, found.source)
        return found.value

    def _found_secret(self, name: str) -> FoundSecret:
        keys, execution = self._process.keys, self._execution
        stored = read_patiently(
            self._process.engine, lambda connection: read_secret(connection, keys, execution.owner_id, name)
        )
        if stored is not None:
            return FoundSecret(stored, SourceName.STORED)
        try:
            found = self._process.outside_secrets.read(execution.owner, name)
        except SecretSourceAway as error:
            raise NodeError("secret_unavailable", error.detail) from None
        if found is None:
            message = f"there is no secret {name!r}; set it with `headrace secret set {name}`"
            raise NodeError("secret_missing", message, retryable=False)
        return found

    def _note_read(self, name: str, source: SourceName) -> None:
        if name in self._noted:
            return
        execution = self._execution
        author = Author(ActorKind.RUN, execution.run_id, execution.graph)
        # Asked again, it says the same row once more, which is kept once.
        read_patiently(
            self._process.engine,
            lambda connection: record_secret_read(connection, author, name, execution.owner_id, source),
        )
        self._noted.add(name)

    def masked(self, value: Any) -> Any:
        return self._masking.value(value)

    def recall(self, key: str) -> Mapping[str, Any] | None:
        owner_id, name = self._execution.owner_id, self._result_key(key)
        outputs = read_patiently(self._process.engine, lambda connection: read_result(connection, owner_id, name))
        return None if outputs is None else as_json(outputs, "a result of an earlier run")

    def remember(self, key: str, outputs: Mapping[str, Any], ttl: float) -> None:
        with transaction(self._process.engine) as connection:
            store_result(connection, self._execution.owner_id, self._result_key(key), as_plain(outputs), ttl)

    def _result_key(self, key: str) -> str:
        return sha256(f"{self._execution.graph_id} {key}".encode()).hexdigest()

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
        self._refuse_when_canceled()
        try:
            return self._process.interpreter.run(
                code,
                arguments,
                env=env,
                timeout=timeout,
                on_line=on_line,
                on_publish=on_publish,
                masking=self._masking,
                network=self._code_rules.admit(network),
            )
        finally:
            # Before the node is said to have ended: the newest progress, and what was dropped.
            self._store(self._limits.flush())

    def new_address(self) -> str:
        """Below the public address; where that is not known, a path."""
        return f"{self._process.settings.public_url or ''}/api/v1/waits/{secrets.token_urlsafe(32)}"

    def answers(self, keys: Sequence[str]) -> Mapping[str, Answer]:
        """What was answered, as the API has stored it."""
        run_id = self._execution.run_id
        found = read_patiently(self._process.engine, lambda connection: answers_of(connection, run_id, keys))
        return {key: _answer(given) for key, given in found.items()}

    def close(self, key: str) -> Answer | None:
        """Take no answer for the step any more; the one that came before counts."""

        def once() -> None:
            with transaction(self._process.engine) as connection:
                close_wait(connection, self._execution.run_id, key)

        patient_read(once)
        return self.answers([key]).get(key)

    def cancel(self) -> None:
        """End what nodes are doing, and refuse what they would begin, until `rearm`."""
        self._cancellation.request()

    def rearm(self) -> None:
        """Let the nodes that run last reach the world."""
        self._cancellation.rearm()

    def wait(self, seconds: float) -> None:
        if self._cancellation.requested.wait(seconds):
            raise Stopped("the run was canceled while this was waiting")

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
        shown = self._masking.value(dict(data or {}))
        event = NewEvent(time.time(), type, self._masking.text(message), node, item, level, shown)
        size = len(event.message) + (len(dumps(shown)) if shown else 0)
        self._store(self._limits.pass_on(event, size))

    def _store(self, events: Sequence[NewEvent]) -> None:
        for event in events:
            self._tell(event)

    def _refuse_when_canceled(self) -> None:
        if self._cancellation.requested.is_set():
            raise Stopped("the run was canceled before this began")

    def _cancel(self) -> None:
        self._process.interpreter.cancel_all()
        self._cancel_services()
        self._process.http.cancel_all()


def _answer(given: GivenAnswer) -> Answer:
    return Answer(given.at.timestamp(), as_json(given.value, "the answer"), given.by, given.approves)

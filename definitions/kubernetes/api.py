"""The few requests that runs in a cluster need, as JSON objects in and out, counted, through the Kubernetes client.

The client's models are left out of it: they refuse objects of servers older or newer than themselves.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Protocol, cast

from kubernetes import client
from kubernetes.client.rest import ApiException
from urllib3.exceptions import HTTPError

Json = dict[str, Any]
Count = Callable[[str, str, str], None]

CONNECT_SECONDS = 5.0
READ_SECONDS = 10.0
WATCH_SECONDS = 240
"""How long one watch lasts; the server ends it then, and a new one goes on from there."""
SILENCE_SECONDS = WATCH_SECONDS + 30.0


class ClusterError(Exception):
    """The API server refused a request. `status` is HTTP's, `reason` Kubernetes' word for it."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


class ClusterAway(Exception):
    """The API server cannot be reached, or says that it cannot answer now."""


class Response(Protocol):
    """What the client returns when it does not read the content itself: urllib3's response."""

    data: bytes
    status: int

    def stream(self, amt: int) -> Iterator[bytes]:
        """The content in portions."""

    def close(self) -> None:
        """End the connection."""


def cut(response: Response) -> None:
    """End a stream that another thread reads, which then sees its end; `close` would wait for that thread."""
    connection = getattr(response, "connection", None)
    connected: socket.socket | None = getattr(connection, "sock", None)
    if connected is not None:
        with suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)


class KubernetesApi:
    """Requests in one namespace. `count(verb, resource, code)` is told of each."""

    def __init__(self, namespace: str, *, api: client.ApiClient | None = None, count: Count | None = None) -> None:
        self.namespace = namespace
        made = api or client.ApiClient()
        self._core = client.CoreV1Api(made)
        self._batch = client.BatchV1Api(made)
        self._count = count or (lambda *_: None)

    def create_job(self, body: Mapping[str, Any]) -> Json:
        """Raises `ClusterError` 409 if there is one of that name."""
        return self._json("create", "jobs", self._batch.create_namespaced_job, self.namespace, body)

    def create_pod(self, body: Mapping[str, Any]) -> Json:
        """Raises `ClusterError` 409 if there is one of that name."""
        return self._json("create", "pods", self._core.create_namespaced_pod, self.namespace, body)

    def delete_job(self, name: str, *, uid: str | None = None) -> bool:
        """Delete the Job and, by the garbage collector, its pods; False if it, or the one of that uid, is gone."""
        return self._delete("jobs", self._batch.delete_namespaced_job, name, uid, {"propagationPolicy": "Background"})

    def delete_pod(self, name: str, *, uid: str | None = None, grace: int | None = None) -> bool:
        """False if the pod, or the one of that uid, is gone. `grace` in seconds instead of the pod's own."""
        options = {} if grace is None else {"gracePeriodSeconds": grace}
        return self._delete("pods", self._core.delete_namespaced_pod, name, uid, options)

    def read_pod(self, name: str) -> Json | None:
        """The pod, or None."""
        try:
            return self._json("get", "pods", self._core.read_namespaced_pod, name, self.namespace)
        except ClusterError as error:
            if error.status == 404:
                return None
            raise

    def follow_log(self, pod: str, container: str) -> Response:
        """A container's output from its beginning and as it is written, each line with its time stamp."""
        call = self._core.read_namespaced_pod_log
        options: dict[str, Any] = {"container": container, "follow": True, "timestamps": True}
        return self._call("watch", "pods/log", call, pod, self.namespace, read=None, **options)

    def list_kind(self, kind: str, **options: Any) -> Json:
        """A list of `pods`, `jobs` or `events` with its resourceVersion."""
        return self._json("list", kind, self._lister(kind), self.namespace, **options)

    def watch_kind(self, kind: str, resource_version: str, **options: Any) -> Response:
        """The changes after that version, one JSON object a line, for `WATCH_SECONDS`."""
        return self._call(
            "watch",
            kind,
            self._lister(kind),
            self.namespace,
            read=SILENCE_SECONDS,
            watch=True,
            resource_version=resource_version,
            allow_watch_bookmarks=True,
            timeout_seconds=WATCH_SECONDS,
            **options,
        )

    def _lister(self, kind: str) -> Callable[..., Any]:
        listers: dict[str, Callable[..., Any]] = {
            "pods": self._core.list_namespaced_pod,
            "jobs": self._batch.list_namespaced_job,
            "events": self._core.list_namespaced_event,
        }
        return listers[kind]

    def _delete(
        self, resource: str, call: Callable[..., Any], name: str, uid: str | None, options: Mapping[str, Any]
    ) -> bool:
        body = {**options, **({} if uid is None else {"preconditions": {"uid": uid}})}
        try:
            # Read to its end, or the connection could not be used again.
            _ = self._call("delete", resource, call, name, self.namespace, body=body).data
        except ClusterError as error:
            if error.status in (404, 409):  # gone, or another of that name
                return False
            raise
        return True

    def _json(self, verb: str, resource: str, call: Callable[..., Any], *arguments: Any, **options: Any) -> Json:
        return cast(Json, json.loads(self._call(verb, resource, call, *arguments, **options).data))

    def _call(
        self,
        verb: str,
        resource: str,
        call: Callable[..., Any],
        *arguments: Any,
        read: float | None = READ_SECONDS,
        **options: Any,
    ) -> Response:
        code = "none"
        try:
            answer = call(*arguments, **options, _preload_content=False, _request_timeout=(CONNECT_SECONDS, read))
            code = str(answer.status)
            return cast(Response, answer)
        except ApiException as error:
            code = str(error.status)
            raise _told(error) from None
        except (HTTPError, OSError) as error:
            raise ClusterAway(str(error)) from error
        finally:
            self._count(verb, resource, code)


def _told(error: ApiException) -> Exception:
    status = int(error.status or 0)
    try:
        body = json.loads(error.body or "{}")
    except ValueError:
        body = {}
    message = str(body.get("message") or error.reason or "")
    if status == 0 or status == 429 or status >= 500:
        return ClusterAway(f"{status}: {message}")
    return ClusterError(status, str(body.get("reason") or error.reason or ""), message)

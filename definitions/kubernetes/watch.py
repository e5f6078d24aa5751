"""Keeps what a namespace holds of one kind: a list, then the stream of changes; never a poll.

When the stream breaks it goes on from the last version seen; when that is too old, or the API server was away, it
lists anew, so that what happened meanwhile is seen as well.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from urllib3.exceptions import HTTPError

from definitions.kubernetes.api import ClusterAway, ClusterError, Json, KubernetesApi, Response, cut

_PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)
_GONE = 410
_CLOSE_SECONDS = 2.0
_logger = logging.getLogger("headrace.kubernetes")


class Expired(Exception):
    """The server no longer knows the version that the watch was to go on from."""


class Watch:
    """The objects of one kind by name, kept current by a thread; `on_change(name, before, now)` runs in it."""

    def __init__(
        self,
        api: KubernetesApi,
        kind: str,
        on_change: Callable[[str, Json | None, Json | None], None],
        on_state: Callable[[], None] = lambda: None,
        **options: Any,
    ) -> None:
        self.kind = kind
        self._api = api
        self._options = options
        self._on_change = on_change
        self._on_state = on_state
        self._objects: dict[str, Json] = {}
        self._version = ""
        self._is_synced = threading.Event()
        self._closing = threading.Event()
        self._response: Response | None = None
        self._thread = threading.Thread(target=self._follow, name=f"watch-{kind}", daemon=True)

    @property
    def is_synced(self) -> bool:
        """Whether what is known is current: listed, and the stream of changes open."""
        return self._is_synced.is_set()

    @property
    def is_alive(self) -> bool:
        """Whether the thread still works; it ends only by `close` or by a defect."""
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End the stream and the thread."""
        self._closing.set()
        response = self._response
        if response is not None:
            cut(response)
        if self._thread.ident is not None:
            self._thread.join(_CLOSE_SECONDS)

    def _follow(self) -> None:
        failures = 0
        while not self._closing.is_set():
            try:
                if not self._version:
                    self._list()
                self._stream()
                failures = 0
            except Expired:
                self._version = ""
            except (ClusterAway, ClusterError, HTTPError, OSError, ValueError) as error:
                if self._closing.is_set():
                    return
                self._lost(error, failures)
                self._closing.wait(_PAUSES[min(failures, len(_PAUSES) - 1)])
                failures += 1
            except Exception:
                if self._closing.is_set():
                    return  # a stream that is cut in another thread ends in many ways
                raise

    def _lost(self, error: Exception, failures: int) -> None:
        if failures == 0:
            _logger.warning("The watch of %s was lost: %s", self.kind, error)
        # What happened meanwhile may be more than the server remembers; a list says it all.
        self._version = ""
        self._is_synced.clear()
        self._on_state()

    def _list(self) -> None:
        answer = self._api.list_kind(self.kind, **self._options)
        found = {str(item["metadata"]["name"]): item for item in answer.get("items") or ()}
        for name in [name for name in self._objects if name not in found]:
            self._change(name, None)
        for name, item in found.items():
            self._change(name, item)
        self._version = str(answer["metadata"]["resourceVersion"])

    def _stream(self) -> None:
        response = self._response = self._api.watch_kind(self.kind, self._version, **self._options)
        self._is_synced.set()
        self._on_state()
        try:
            for line in lines_of(response.stream(16 * 1024)):
                self._take(json.loads(line))
        finally:
            response.close()

    def _take(self, change: Mapping[str, Any]) -> None:
        item: Json = change["object"]
        match change["type"]:
            case "ERROR":
                if item.get("code") == _GONE:
                    raise Expired
                raise ClusterError(int(item.get("code") or 0), str(item.get("reason")), str(item.get("message")))
            case "DELETED":
                self._objects[str(item["metadata"]["name"])] = item
                self._change(str(item["metadata"]["name"]), None)
            case "ADDED" | "MODIFIED":
                self._change(str(item["metadata"]["name"]), item)
        self._version = str(item["metadata"]["resourceVersion"])

    def _change(self, name: str, item: Json | None) -> None:
        """Tell of the change; of an object that is gone `before` is how it was last seen."""
        before = self._objects.get(name)
        if item is None:
            self._objects.pop(name, None)
        else:
            self._objects[name] = item
        if before is not item:
            self._on_change(name, before, item)


def lines_of(portions: Iterator[bytes]) -> Iterator[bytes]:
    """The lines of a stream without their ends; the last one also if it has none."""
    rest = b""
    for portion in portions:
        *whole, rest = (rest + portion).split(b"\n")
        yield from (line for line in whole if line)
    if rest:
        yield rest

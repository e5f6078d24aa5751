"""A watch tells every change once, whatever happens to its stream."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from definitions.kubernetes.api import Json, KubernetesApi
from definitions.kubernetes.watch import Watch, lines_of
from tests.unit.definitions import pods
from tests.unit.definitions.cluster import serving, until


class Seen:
    """What a watch told, in order: names with what became of them."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    def __call__(self, name: str, before: Json | None, now: Json | None) -> None:
        what = "gone" if now is None else str(now["status"]["phase"])
        with self._lock:
            self.changes.append((name, what))


@contextmanager
def watching(api: KubernetesApi) -> Iterator[tuple[Watch, Seen]]:
    seen = Seen()
    watch = Watch(api, "pods", seen)
    watch.start()
    try:
        yield watch, seen
    finally:
        watch.close()


def test_what_is_there_and_what_changes_is_told() -> None:
    with serving() as (cluster, api):
        cluster.change("pods", pods.pod("a"))
        with watching(api) as (watch, seen):
            until(lambda: watch.is_synced)
            cluster.change("pods", pods.pod("b"))
            cluster.change("pods", {**pods.running(), "metadata": pods.pod("a")["metadata"]})
            cluster.remove("pods", "b")
            until(lambda: len(seen.changes) == 4)
        assert seen.changes == [("a", "Pending"), ("b", "Pending"), ("a", "Running"), ("b", "gone")]
        assert (cluster.count("list", "pods"), cluster.count("watch", "pods")) == (1, 1)


def test_a_stream_that_ends_goes_on_from_where_it_was_without_a_list() -> None:
    with serving() as (cluster, api), watching(api) as (watch, seen):
        until(lambda: watch.is_synced)
        for number in range(5):
            cluster.change("pods", pods.pod(f"p{number}"))
            until(lambda number=number: len(seen.changes) == number + 1)
            cluster.break_watches()
        assert [name for name, _ in seen.changes] == [f"p{number}" for number in range(5)]
        assert cluster.count("list", "pods") == 1


def test_what_happened_in_a_forgotten_time_is_told_by_a_new_list() -> None:
    with serving() as (cluster, api), watching(api) as (watch, seen):
        cluster.change("pods", pods.pod("old"))
        until(lambda: seen.changes == [("old", "Pending")])
        until(lambda: watch.is_synced)
        cluster.away.set()
        cluster.break_watches(forget=True)
        cluster.remove("pods", "old")
        cluster.change("pods", pods.pod("new"))
        until(lambda: not watch.is_synced)
        cluster.away.clear()
        until(lambda: watch.is_synced)
        until(lambda: seen.changes[1:] == [("old", "gone"), ("new", "Pending")])
        assert watch.is_alive


def test_a_version_that_is_too_old_costs_one_list() -> None:
    with serving() as (cluster, api), watching(api) as (watch, seen):
        until(lambda: watch.is_synced)
        lists = cluster.count("list", "pods")
        cluster.break_watches(forget=True)
        cluster.change("pods", pods.pod("a"))
        until(lambda: seen.changes == [("a", "Pending")])
        assert cluster.count("list", "pods") == lists + 1


@pytest.mark.parametrize(
    ("portions", "lines"),
    [([b"a\nb", b"c\n"], [b"a", b"bc"]), ([b"a"], [b"a"]), ([b"\n\n"], []), ([], [])],
)
def test_lines_are_put_together_from_portions(portions: list[bytes], lines: list[bytes]) -> None:
    assert list(lines_of(iter(portions))) == lines

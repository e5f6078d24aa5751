"""Following NOTIFY across a lost connection."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator

import psycopg
import pytest

from definitions.daemon.notifications import Notifications
from platform_core.settings import Settings
from tests.integration.definitions.site import Site
from tests.waiting import wait_until

FOLLOWER = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"

Notify = Callable[[str], None]


@pytest.fixture
def told() -> queue.Queue[str]:
    return queue.Queue()


@pytest.fixture
def notifications(site: Site, told: queue.Queue[str]) -> Iterator[Notifications]:
    """Started, and past what it says after connecting."""
    assert site.settings.database_url is not None
    notifications = Notifications(site.settings.database_url, ("one", "two"), told.put)
    notifications.loop.start()
    assert sorted(told.get(timeout=30) for _ in range(2)) == ["one", "two"]
    yield notifications
    notifications.loop.close()


@pytest.fixture
def notify(site: Site) -> Notify:
    def notify(channel: str) -> None:
        with site.engine.begin() as connection:
            connection.exec_driver_sql("SELECT pg_notify(%s, 'x')", (channel,))

    return notify


@pytest.mark.usefixtures("notifications")
def test_each_notification_names_its_channel(told: queue.Queue[str], notify: Notify) -> None:
    for channel in ("two", "other", "one"):
        notify(channel)
    assert [told.get(timeout=30), told.get(timeout=30)] == ["two", "one"]


@pytest.mark.usefixtures("notifications")
def test_lost_connection_may_have_missed_something_on_every_channel(
    site: Site, told: queue.Queue[str], notify: Notify
) -> None:
    for (pid,) in site.fetch(FOLLOWER):
        site.fetch("SELECT pg_terminate_backend(:pid)", pid=pid)
    assert sorted(told.get(timeout=30) for _ in range(2)) == ["one", "two"]
    notify("one")
    assert told.get(timeout=30) == "one"


def test_closing_ends_the_connection(site: Site, notifications: Notifications) -> None:
    assert len(site.fetch(FOLLOWER)) == 1
    notifications.loop.close()
    wait_until(lambda: site.fetch(FOLLOWER) == [], "the connection is gone")


def test_database_that_is_away_is_asked_again(caplog: pytest.LogCaptureFixture, tmp_path: object) -> None:
    url = Settings(database_url=f"postgresql://nobody@/none?host={tmp_path}").database_url
    assert url is not None
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    notifications = Notifications(url, ("one",), lambda _: None)
    notifications.loop.start()
    wait_until(lambda: len(caplog.records) >= 2, "it has tried twice")
    notifications.loop.close()
    assert {record.name for record in caplog.records} == {"headrace.notifications"}

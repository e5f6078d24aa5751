"""A real PostgreSQL goes away under webhooks and comes back: what was answered 202 is there, and nothing twice."""

from __future__ import annotations

import signal
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from platform_core.database import schema
from platform_core.database.engine import build_engine
from platform_core.database.postgres import EmbeddedPostgres
from platform_core.database.tables import deliveries, runs
from platform_core.identity.keys import KeyRing
from platform_core.identity.user_store import create_user
from platform_core.settings import Settings
from tests.integration.trigger_api.conftest import NO_TLS, assert_problem
from tests.integration.trigger_api.webhooks.graphs import save_webhook
from tests.running_postgres import prepared, running
from tests.serving import served
from tests.tokens import bearer_token
from tests.waiting import wait_until
from trigger_api.app import create_app

SENDERS = 6
AT_LEAST = 60
"""Calls that are accepted before the server goes and after it has come back."""


@dataclass
class Site:
    """A server of its own, and two API processes' worth of applications on it."""

    server: EmbeddedPostgres
    engine: Engine
    settings: Settings
    keys: KeyRing
    accepted: dict[str, str] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)

    def send(self, address: str, key: str) -> None:
        """One call; its run by its key if it was accepted, else the key."""
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
        answer = httpx.post(address, content=b'{"n": 1}', headers=headers, timeout=60, verify=NO_TLS)
        if answer.status_code == 202:
            self.accepted[key] = answer.json()["run_id"]
            return
        assert_problem(answer, 503, "unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        self.refused.add(key)

    def stored(self) -> dict[str, str]:
        """The run of each delivery; fails if a delivery has none or a run no delivery."""
        with self.engine.connect() as connection:
            pairs = connection.execute(sa.select(deliveries.c.delivery_key, deliveries.c.run_id)).all()
            run_ids = connection.execute(sa.select(runs.c.run_id)).scalars().all()
        assert sorted(run_id for _, run_id in pairs) == sorted(run_ids)
        return {row.delivery_key: row.run_id for row in pairs}


@pytest.fixture
def site() -> Iterator[Site]:
    with prepared() as server:
        settings = Settings(home=server.home, database_url=server.url, public_url="http://headrace.test")
        engine = build_engine(server.url)
        yield Site(server, engine, settings, KeyRing.load_or_create(settings))
        engine.dispose()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["stopped", "killed"])
def test_every_202_has_its_delivery_and_its_run_and_every_503_can_be_sent_again(
    site: Site, how: signal.Signals
) -> None:
    over = threading.Event()
    with ExitStack() as stack:
        server = stack.enter_context(running(site.server))
        site.server.ensure_database()
        schema.migrate(site.server.url)
        second = build_engine(site.server.url)
        stack.callback(second.dispose)
        addresses = [
            stack.enter_context(served(create_app(site.settings, engine=engine, keys=site.keys)))
            for engine in (site.engine, second)
        ]
        webhook = _saved_webhook(site, addresses[0])

        def load(number: int) -> None:
            while not over.is_set():
                site.send(addresses[number % len(addresses)] + webhook, str(uuid.uuid4()))

        pool = stack.enter_context(ThreadPoolExecutor(SENDERS))
        stack.callback(over.set)
        senders = [pool.submit(load, number) for number in range(SENDERS)]

        def reached(what: dict[str, str] | set[str], count: int) -> bool:
            return len(what) >= count or any(sender.done() for sender in senders)

        wait_until(lambda: reached(site.accepted, AT_LEAST), "calls are accepted", 60)
        server.send_signal(how)
        server.wait(60)
        wait_until(lambda: reached(site.refused, SENDERS * 3), "calls are refused", 60)
        before = len(site.accepted)
        stack.enter_context(running(site.server))
        wait_until(lambda: reached(site.accepted, before + AT_LEAST), "calls are accepted again", 60)
        over.set()
        for sender in senders:
            sender.result()

        stored = site.stored()
        assert {key: stored.get(key) for key in site.accepted} == site.accepted
        # A call whose connection was lost after its commit is stored and answered 503; no other may be.
        assert set(stored) - set(site.accepted) <= site.refused
        again, site.refused = site.refused, set()
        for key in again:
            site.send(addresses[0] + webhook, key)
        assert site.refused == set()
        assert site.stored() == site.accepted
        assert {key: site.accepted[key] for key in stored} == stored


def _saved_webhook(site: Site, address: str) -> str:
    with site.engine.begin() as connection:
        user = create_user(connection, "ada", "a password", "editor")
    bearer = {"Authorization": f"Bearer {bearer_token(site.engine, site.keys, user.id, 600)}"}
    with httpx.Client(base_url=address, headers=bearer, timeout=60, verify=NO_TLS) as client:
        return save_webhook(client)

"""The database is killed and comes back while a run is executed."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from definitions.instance import storage
from platform_core.database import schema
from platform_core.database.postgres import EmbeddedPostgres
from platform_core.settings import Settings
from tests.code_folder import code_folder
from tests.integration.definitions.documents import document, python, versioned
from tests.integration.definitions.services import Service
from tests.integration.definitions.site import Site, new_site
from tests.waiting import wait_until

COUNT = """
import os, time
def main(stop: str) -> int:
    number = 0
    while not os.path.exists(stop):
        print(number)
        number += 1
        time.sleep(0.005)
    return number
"""


class Database:
    """An embedded server of this module alone."""

    def __init__(self, folder: Path) -> None:
        self.server = EmbeddedPostgres(folder)
        self.server.prepare()
        self._log = folder / "postgres.log"

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self.server.command(), stdout=log, stderr=log, **self.server.options())
        wait_until(self.server.is_ready, "the database accepts connections", 60)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(30)


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with tempfile.TemporaryDirectory(prefix="headrace-loss-") as folder:
        database = Database(Path(folder))
        database.start()
        try:
            yield database
        finally:
            database.kill()


@pytest.fixture(scope="module")
def own_site(database: Database) -> Iterator[Site]:
    database.server.ensure_database()
    url = database.server.url
    schema.migrate(url)
    storage.migrate(Settings(database_url=url))
    with tempfile.TemporaryDirectory(prefix="headrace-site-") as home, new_site(Path(home), url) as site:
        yield site


def test_run_outlives_a_restart_of_the_database_and_loses_or_repeats_no_event(
    database: Database, own_site: Site
) -> None:
    with Service("workers.worker_pool") as pool, code_folder() as folder:
        pool.wait_for_workers()
        stop = folder / "stop"
        node = python("count", COUNT, args={"stop": str(stop)})
        run_id = own_site.launch(document("counter", node, outputs={"lines": "{{ nodes.count.result }}"}))
        own_site.wait_for_event(run_id, "stdout", "count")
        database.kill()
        database.start()
        before = own_site.run(run_id).last_seq
        wait_until(lambda: own_site.run(run_id).last_seq > before + 10, "events are written again", 60)
        stop.touch()
        run = own_site.wait_for_status(run_id, "SUCCESS")
        lines = [event.message for event in own_site.events(run_id) if event.type == "stdout"]
        assert lines == [str(number) for number in range(len(lines))]
        assert run.outputs == {"lines": len(lines)}
        logged = [entry.user_message for entry in own_site.instance.all_logs(run_id) if not entry.is_dagster_event]
        assert logged == lines
        assert own_site.story(run_id, "run.started", "run.succeeded") == [
            ("run.started", None),
            ("run.succeeded", None),
        ]
        own_site.wait_for_status(own_site.launch(versioned("after", 1)), "SUCCESS")

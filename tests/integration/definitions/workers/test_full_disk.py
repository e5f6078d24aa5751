"""PostgreSQL's disk fills in the midst of a run: the run waits until there is room, and nothing is done twice."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from fastapi import FastAPI

from tests.integration.definitions.conftest import NewSite
from tests.integration.definitions.documents import document, transform
from tests.integration.definitions.site import Site
from tests.serving import served
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def site(create_site: NewSite) -> Site:
    return create_site(HEADRACE_HTTP_ALLOW_PRIVATE="true")


@contextmanager
def full_disk(site: Site) -> Iterator[None]:
    """While it lasts the server refuses to store events, by the error that it has for a full disk."""
    with site.engine.begin() as connection:
        connection.exec_driver_sql(
            """
            CREATE SEQUENCE refusals;
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                PERFORM nextval('refusals');
                RAISE EXCEPTION USING ERRCODE = 'disk_full', MESSAGE = 'could not extend file: No space left on device';
            END $$;
            CREATE TRIGGER refuse BEFORE INSERT ON headrace.run_events FOR EACH ROW EXECUTE FUNCTION refuse();
            """
        )
    try:
        yield
    finally:
        with site.engine.begin() as connection:
            connection.exec_driver_sql(
                "DROP TRIGGER refuse ON headrace.run_events; DROP FUNCTION refuse; DROP SEQUENCE refusals"
            )


def refusals(site: Site) -> int:
    # A sequence counts also in transactions that are rolled back.
    return int(site.fetch("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM refusals")[0][0])


def test_run_waits_while_the_disk_is_full_and_does_nothing_twice(site: Site) -> None:
    counts: Counter[str] = Counter()
    arrived, may_answer = threading.Event(), threading.Event()
    app = FastAPI()

    @app.post("/{key}")
    def count(key: str) -> dict[str, str]:
        counts[key] += 1
        arrived.set()
        assert may_answer.wait(60)
        return {"key": key}

    with served(app, lifespan="off") as url:

        def effect(id: str, after: str) -> dict[str, object]:
            return {
                "id": id,
                "type": "http.request",
                "config": {"url": f"{url}/{id}", "method": "POST"},
                "after": [after],
            }

        graph = document(
            f"full-disk-{os.getpid()}",
            *(transform("a", 1), effect("b", "a"), effect("c", "b"), transform("d", "{{ inputs.key }}")),
            edges=("c.body -> d.key",),
            outputs={"d": "{{ nodes.d.value.key }}"},
        )
        run_id = site.launch(graph)
        execution = threading.Thread(target=site.execute_launched, args=(run_id,))
        execution.start()
        assert arrived.wait(60)
        with full_disk(site):
            may_answer.set()
            wait_until(lambda: refusals(site) >= 3, "the run's commit is refused, and tried again", 60)
            assert counts == {"b": 1}
            assert site.run(run_id).status == "RUNNING"
        execution.join(60)
    run = site.run(run_id)
    assert (run.status, run.outputs) == ("SUCCESS", {"d": "c"})
    assert counts == {"b": 1, "c": 1}
    assert [node for type, node in site.story(run_id, "node.succeeded")] == ["a", "b", "c", "d"]

"""The generation of a run fences: a worker that another has replaced writes nothing more of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from definitions.execution.current_run import CurrentRun
from tests.integration.definitions.conftest import NewSite
from tests.integration.definitions.documents import document, transform
from tests.integration.definitions.site import Site


@pytest.fixture(scope="module")
def site(create_site: NewSite) -> Site:
    """Without workers: one of them would take the run before the test does."""
    return create_site()


def test_worker_that_was_thought_lost_writes_nothing(site: Site) -> None:
    run_id = site.launch(document("fenced", transform("a", 1), transform("b", 2, after=["a"])))
    with site.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE headrace.runs SET generation = 5 WHERE run_id = %s", (run_id,))
    before = site.story(run_id), len(site.instance.all_logs(run_id))
    execute_as_generation(site, run_id, 4)
    assert (site.story(run_id), len(site.instance.all_logs(run_id))) == before
    assert site.run(run_id).status == "STARTING"


def execute_as_generation(site: Site, run_id: str, generation: int) -> None:
    """What a worker does that has read the run before another took it over."""
    runs = site.engine_runs
    read = runs._read

    def stale(run_id: str) -> object:
        found = read(run_id)
        return None if found is None else replace(found, generation=generation)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "_read", stale)
        runs.execute(CurrentRun(run_id))

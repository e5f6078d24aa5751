"""A worker that dies right before or right after any commit of its run: another goes on, and nothing is done twice.

The death is an exception out of the journal, past which this execution writes nothing; kill -9 of real workers is in
test_worker_loss. HEADRACE_EVERY_BOUNDARY=1 tries each boundary of each graph, else some of them are left out.
"""

from __future__ import annotations

import gc
import os
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Request

from definitions.execution.current_run import CurrentRun
from definitions.execution.engine_run import EngineRuns
from definitions.journal.run_journal import RunJournal
from platform_core.runs.run_store import Run
from tests.integration.definitions.conftest import NewSite
from tests.integration.definitions.documents import delay, document, python, transform
from tests.integration.definitions.site import Site
from tests.serving import served
from tests.waiting import wait_until

EVERY = os.environ.get("HEADRACE_EVERY_BOUNDARY") == "1"
SOME = 8
"""Boundaries that are tried of one graph, if not all are."""


class Killed(BaseException):
    """What ends an execution in the place of SIGKILL."""


@pytest.fixture(scope="module")
def site(create_site: NewSite) -> Site:
    return create_site(HEADRACE_HTTP_ALLOW_PRIVATE="true")


class Effects:
    """A server that counts what nodes do in the world, by key."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.app = FastAPI()
        self.app.post("/{key}")(self._count)
        self.url = ""

    async def _count(self, key: str, request: Request) -> dict[str, str]:
        self.counts[key] += 1
        return {"key": key}

    def node(self, id: str, key: str | None = None, **parts: Any) -> dict[str, Any]:
        config = {"url": f"{self.url}/{key or id}", "method": "POST"}
        return {"id": id, "type": "http.request", "config": config, "repeatable": True, **parts}


@pytest.fixture(scope="module")
def effects() -> Iterator[Effects]:
    effects = Effects()
    with served(effects.app, lifespan="off") as effects.url:
        yield effects


def chain(effects: Effects) -> dict[str, Any]:
    nodes = [transform("a", 1), effects.node("b", after=["a"]), transform("c", 2, after=["b"])]
    return document("cut-chain", *nodes, effects.node("d", after=["c"]), outputs={"d": "{{ nodes.d.body.key }}"})


def items(effects: Effects) -> dict[str, Any]:
    each = effects.node("each", "{{ item }}", foreach=["i0", "i1", "i2", "i3"], max_parallel=2)
    end = transform("end", "{{ inputs.x | map(attribute='key') | list }}", after=["each"])
    outputs = {"end": "{{ nodes.end.value }}"}
    return document("cut-items", each, end, edges=("each.body -> end.x",), outputs=outputs)


def calls(effects: Effects) -> dict[str, Any]:
    def call(id: str, key: str, **parts: Any) -> dict[str, Any]:
        return {"id": id, "type": "graph", "config": {"graph": "cut-called", "params": {"key": key}}, **parts}

    it = call("it", "once", retry={"max_attempts": 2})
    many = call("many", "of{{ item }}", foreach=[1, 2], after=["it"])
    outputs = {"all": "{{ [nodes.it.b, nodes.many.b] }}"}
    return document("cut-calls", it, many, outputs=outputs)


def routes(effects: Effects) -> dict[str, Any]:
    bad = {"id": "bad", "type": "fail", "config": {"message": "no"}, "on_error": "route"}
    mends = transform("mends", "{{ inputs.e.kind }}")
    nap = delay("nap", "20ms", after=["mends"])
    code = python("code", "def main(): return 7", after=["nap"], repeatable=True)
    last = effects.node("last", finally_=None)
    last = {key: value for key, value in last.items() if key != "finally_"} | {"finally": True}
    outputs = {"it": "{{ [nodes.mends.value, nodes.code.result] }}"}
    return document("cut-routes", bad, mends, nap, code, last, edges=("bad.error -> mends.e",), outputs=outputs)


SHELF = {"chain": chain, "items": items, "calls": calls, "routes": routes}


def executed(site: Site, run_id: str, cut: Callable[[int, bool], bool] = lambda number, is_before: False) -> int:
    """Execute the run in a worker of its own, until the cut if it comes; how many commits there were."""
    commits = 0
    write = RunJournal._write

    def counted(journal: RunJournal, *arguments: Any) -> None:
        nonlocal commits
        commits += 1
        if cut(commits, True):
            raise Killed
        write(journal, *arguments)
        if cut(commits, False):
            raise Killed

    worker = EngineRuns(site.engine_runs.process, site.instance)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunJournal, "_write", counted)
        try:
            worker.execute(CurrentRun(run_id))
        except Killed:
            pass
        finally:
            worker.close()
    wait_until(lambda: not any(thread.name.startswith("node-") for thread in threading.enumerate()), "its nodes ended")
    with warnings.catch_warnings():
        # Of a connection that the kernel would have closed with the process.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    return commits


def ended(site: Site, run_id: str) -> Counter[tuple[str | None, int | None]]:
    return Counter((event.node, event.item) for event in site.events(run_id) if event.type == "node.succeeded")


def boundaries(commits: int) -> list[tuple[int, bool]]:
    """Number of a commit, and whether the worker dies before it."""
    all_of_them = [(number, is_before) for number in range(1, commits + 1) for is_before in (True, False)]
    return all_of_them if EVERY else all_of_them[:: max(1, len(all_of_them) // SOME)]


@pytest.mark.parametrize("name", SHELF)
def test_worker_may_die_at_any_commit(site: Site, effects: Effects, name: str) -> None:
    called = [effects.node("a", "{{ params.key }}"), transform("b", 5, after=["a"])]
    params = {"type": "object", "properties": {"key": {"type": "string"}}}
    site.save_graph(document("cut-called", *called, params=params, outputs={"b": "{{ nodes.b.value }}"}))
    graph = site.save_graph(SHELF[name](effects))

    def run_of(cut: Callable[[int, bool], bool] | None) -> tuple[Run, int]:
        effects.counts.clear()
        run_id = site.accept(graph)
        site.start(run_id)
        commits = executed(site, run_id, cut or (lambda number, is_before: False))
        return site.run(run_id), commits

    whole, commits = run_of(None)
    once = Counter(effects.counts)
    assert whole.status == "SUCCESS"
    for number, is_before in boundaries(commits):
        run, _ = run_of(lambda count, before, at=(number, is_before): (count, before) == at)  # type: ignore[misc]  # bound
        done, seen = ended(site, run.run_id), Counter(effects.counts)
        if not run.has_ended:
            executed(site, run.run_id)
        run = site.run(run.run_id)
        place = f"{'before' if is_before else 'after'} commit {number}"
        assert (run.status, run.outputs, run.error) == (whole.status, whole.outputs, None), place
        assert site.dagster_status(run.run_id) == "SUCCESS", place
        after = ended(site, run.run_id)
        assert set(after.values()) == {1}, place
        assert done.keys() <= after.keys(), place
        for key, count in effects.counts.items():
            # What had ended by then was not done again; what was cut in the midst may have been.
            assert once[key] <= count <= once[key] + (seen[key] > 0), (place, key)
        assert site.story(run.run_id)[-1] == ("run.succeeded", None), place

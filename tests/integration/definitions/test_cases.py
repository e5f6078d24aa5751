"""What users once met, with their own documents and requests: tests/cases, each with its right result.

A case whose inputs are documents alone is in tests/graphs (bytes, CSV, Parquet, line separators in YAML).
"""

from __future__ import annotations

import gzip
import json
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from definitions.execution.context import process_context
from graph_compiler.language.loading import load
from graph_compiler.language.schedule_trigger import ScheduleTrigger
from graph_compiler.language.spec import GraphSpec
from graph_compiler.triggers.fire_times import FireTimes
from graph_compiler.values.binary import dumps
from platform_core.identity.secret_store import put_secret
from platform_core.runs.run_store import Run
from platform_core.triggers.trigger_store import list_triggers
from tests.integration.definitions.case_services import awkward_web
from tests.integration.definitions.conftest import NewSite
from tests.integration.definitions.document_services import mail_server
from tests.integration.definitions.site import Site
from tests.integration.definitions.test_retries import retry
from tests.integration.nodes.test_postgres import serve as serve_postgres
from tests.serving import served
from tests.waiting import wait_until
from trigger_api.app import create_app

CASES = Path(__file__).parents[2] / "cases"
EXPECTED = sorted(CASES.glob("*/expected.json"))
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
SCREENSHOT = "Screenshot 2026-11-27 at 9.41.07\u202fPM.png"


@pytest.fixture(scope="module")
def site(create_site: NewSite) -> Site:
    return create_site(HEADRACE_HTTP_ALLOW_PRIVATE="true", HEADRACE_SERVICES_ALLOW_PRIVATE="true")


@pytest.fixture(scope="module")
def app(site: Site) -> FastAPI:
    return create_app(site.settings, engine=site.engine, keys=process_context().keys)


@pytest.fixture
def client(app: FastAPI) -> Iterator[httpx.Client]:
    """Calls webhooks of the site."""
    with served(app) as address, httpx.Client(base_url=address, timeout=60) as client:
        yield client


def document(case: str, name: str) -> dict[str, Any]:
    return dict(load((CASES / case / name).read_bytes()).data)


def addresses(folder: Path, text: str, stack: ExitStack) -> dict[str, str]:
    """The addresses of the services that the text names in braces."""
    known: Mapping[str, Callable[[], Any]] = {
        "web": awkward_web,
        "mail": mail_server,
        "postgres": lambda: contextmanager(serve_postgres)(folder),
    }
    return {name: stack.enter_context(start()) for name, start in known.items() if f"{{{name}}}" in text}


@pytest.mark.parametrize("path", EXPECTED, ids=lambda path: path.parent.name)
def test_runs_of_the_case_end_as_they_must(site: Site, path: Path, tmp_path: Path) -> None:
    text, case = path.read_text(), path.parent.name
    with ExitStack() as stack:
        for name, address in addresses(tmp_path, text, stack).items():
            text = text.replace(f"{{{name}}}", address)
        expected = json.loads(text)
        for name, value in expected.get("secrets", {}).items():
            with site.engine.begin() as connection:
                put_secret(connection, process_context().keys, site.owner_id, name, value)
        for name in expected.get("called", []):
            site.save_graph(document(case, name))
        for wanted in expected["runs"]:
            run_id = site.execute(document(case, wanted.pop("document")), wanted.pop("params", None))
            run = site.run(run_id)
            assert {"status": run.status, "error": run.error, "outputs": run.outputs} == wanted
            told = dumps([[event.message, event.data] for event in site.events(run_id)])
            assert "sk_live" not in told
            assert "4242" not in told
            assert [e.node for e in site.events(run_id) if e.type == "node.failed"] == (
                [wanted["error"]["node"]] if wanted["error"] else []
            )


def called(site: Site, client: httpx.Client, case: str, name: str, **request: Any) -> tuple[httpx.Response, Run | None]:
    """The answer to a call of the case's webhook, and the run that it started, executed meanwhile."""
    graph = site.save_graph(document(case, name))
    with site.engine.begin() as connection:
        [trigger] = list_triggers(connection, graph.id)
    before = set(_runs(site))
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.post, f"/hooks/{trigger.webhook_id}", **request)
        wait_until(lambda: answer.done() or set(_runs(site)) - before, "the call is answered or has started a run")
        started = set(_runs(site)) - before
        for run_id in started:
            site.start(run_id)
            site.execute_launched(run_id)
        return answer.result(), site.run(started.pop()) if started else None


@pytest.mark.parametrize("more", ["", "; charset=utf-8"])
def test_form_with_raw_utf8_is_read(site: Site, client: httpx.Client, more: str) -> None:
    headers = {"Content-Type": FORM["Content-Type"] + more}
    answer, run = called(site, client, "form-raw-utf8", "webhook.yaml", content="name=Zoë".encode(), headers=headers)
    assert run is not None
    assert (answer.status_code, run.outputs) == (200, {"b": {"name": "Zoë"}})


def test_headers_that_come_twice_are_one_list(site: Site, client: httpx.Client) -> None:
    twice = [("X-Tag", "a"), ("X-Tag", "b"), *JSON.items()]
    answer, run = called(site, client, "dup-headers", "webhook.yaml", content=b"{}", headers=twice)
    assert run is not None
    assert (answer.status_code, run.outputs) == (200, {"tag": "a, b"})
    [kept] = site.fetch("SELECT headers FROM headrace.deliveries WHERE run_id = :run", run=run.run_id)
    assert json.loads(kept.headers)["x-tag"] == "a, b"


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_packed_body_is_taken(site: Site, client: httpx.Client, coding: str, pack: Callable[[bytes], bytes]) -> None:
    packed = {"content": pack(b'{"a": 1}'), "headers": JSON | {"Content-Encoding": coding}}
    answer, run = called(site, client, "gzip-webhook", "webhook.yaml", **packed)
    assert run is not None
    assert (answer.status_code, run.status) == (202, "SUCCESS")


@pytest.mark.parametrize("coding", ["br", "zstd"])
def test_coding_that_is_not_taken_is_named(site: Site, client: httpx.Client, coding: str) -> None:
    packed = {"content": b"\x1b", "headers": JSON | {"Content-Encoding": coding}}
    answer, run = called(site, client, "gzip-webhook", "webhook.yaml", **packed)
    said = f"The content coding {coding} is not accepted here; gzip and deflate are."
    assert (answer.status_code, answer.json()["detail"], run) == (415, said, None)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        (SCREENSHOT, "Screenshot 2026-11-27 at 9.41.07 PM.png"),
        ("a\u00a0b.png", "a b.png"),
        ("10:30.png", "10_30.png"),
        ("👩\u200d🌾.png", "👩_🌾.png"),
        ("ж" * 150 + ".png", "ж" * 98 + ".png"),
    ],
    ids=["narrow space", "hard space", "colon", "joined emoji", "long"],
)
def test_upload_keeps_its_name(site: Site, client: httpx.Client, name: str, kept: str) -> None:
    head = f'--B\r\nContent-Disposition: form-data; name="f"; filename="{name}"\r\nContent-Type: image/png\r\n\r\n'
    body, headers = f"{head}x\r\n--B--\r\n".encode(), {"Content-Type": "multipart/form-data; boundary=B"}
    answer, run = called(site, client, "form-raw-utf8", "webhook.yaml", content=body, headers=headers)
    assert run is not None
    assert answer.status_code == 200
    assert (run.outputs or {})["b"]["f"]["$file"].rpartition("/")[2] == kept


def test_answer_of_bytes_is_sent_as_bytes(site: Site, client: httpx.Client) -> None:
    answer, _ = called(site, client, "bytes-json", "bytes-answer.yaml")
    found = answer.status_code, answer.headers["content-type"], answer.content
    assert found == (200, "image/png", b"\x89PNG")


def test_until_names_the_whole_day_and_a_stepped_day_restricts_nothing() -> None:
    spec = GraphSpec.model_validate(document("until-date", "until-date.yaml"))
    until, cron = (trigger for trigger in spec.triggers if isinstance(trigger, ScheduleTrigger))
    start = datetime(2027, 1, 1, tzinfo=UTC)
    assert [time.day for time in islice(FireTimes(until).after(start), 7)] == [2, 3, 4, 5]
    assert [(time.month, time.day) for time in islice(FireTimes(cron).after(start), 4)] == [
        (1, 11),
        (1, 25),
        (2, 1),
        (2, 15),
    ]


ENDINGS = [
    ("retry-drops-items", "loop.yaml", {"v": [0, 2, 4, 6, 8, 10]}),
    ("canceled-item-collected", "collect.yaml", {"v": [2, 4], "errors": []}),
    ("canceled-item-collected", "continue.yaml", {"v": [2, 4]}),
]


@pytest.mark.parametrize(("case", "name", "outputs"), ENDINGS, ids=[name for _, name, _ in ENDINGS])
def test_retry_of_a_canceled_run_has_every_item(site: Site, case: str, name: str, outputs: dict[str, Any]) -> None:
    first = site.launch(document(case, name))
    stopping = threading.Thread(target=_cancel_when_two_are_under_way, args=(site, first))
    stopping.start()
    site.execute_launched(first)
    stopping.join()
    assert site.run(first).status == "CANCELED"
    run = site.run(retry(site, first))
    assert (run.status, run.error, run.outputs) == ("SUCCESS", None, outputs)


def test_retry_of_a_run_that_took_too_long_has_every_item(site: Site) -> None:
    """The retry has the same timeout, so it may need another one."""
    run = site.run(site.execute(document("retry-drops-items", "timeout.yaml")))
    for _ in range(6):
        if run.status == "SUCCESS":
            break
        assert (run.error or {})["kind"] == "run_timeout"
        run = site.run(retry(site, run.run_id))
    assert (run.status, run.outputs) == ("SUCCESS", {"v": [0, 2, 4, 6, 8, 10]})


def _cancel_when_two_are_under_way(site: Site, run_id: str) -> None:
    wait_until(lambda: len([e for e in site.events(run_id) if e.type == "stdout"]) >= 2, "two items are under way", 60)
    site.cancel(run_id)
    site.cancel_requested()
    site.current.stop()


def _runs(site: Site) -> list[str]:
    return [row.run_id for row in site.fetch("SELECT run_id FROM headrace.runs")]

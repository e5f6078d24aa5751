"""The page that shows a run live, in a real browser against a real installation."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.code_folder import code_folder
from tests.e2e.browser import CHROMIUM, Page, open_page
from tests.e2e.installation import Installation
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.xdist_group("installation"),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium; Debian's package is `chromium`"),
]

ARTEFACTS = Path(__file__).parents[2] / "artefacts"
WORK = """
import pathlib, time
import headrace

def main(**given):
    for number in range(5):
        headrace.progress((number + 1) / 5, f"part {number + 1} of 5")
        print(f"working on part {number + 1} of 5", flush=True)
        time.sleep(0.15)
    headrace.log("all parts are done", level="info", parts=5)
    return {"parts": 5, "given": sorted(given)}
"""
EDGES = [("fetch", "clean"), ("fetch", "enrich"), ("clean", "score"), ("enrich", "score"), ("score", "report")]


def graph(name: str) -> dict[str, Any]:
    """Five code nodes, two of them side by side; `score` waits for the end of param `gate`."""
    nodes = ["fetch", "clean", "enrich", "score", "report"]
    gate = (
        "import pathlib, time\ndef main(gate, clean, enrich):\n    print('waiting at the gate', flush=True)\n"
        "    while not pathlib.Path(gate).exists():\n        time.sleep(0.05)\n    return {'rows': 128, 'mean': 0.71}\n"
    )
    specs: list[dict[str, Any]] = [
        {"id": node, "type": "python", "config": {"code": WORK} if node != "score" else {"code": gate}}
        for node in nodes
    ]
    specs[3]["config"]["args"] = {"gate": "{{ params.gate }}"}
    return {
        "spec_version": 1,
        "name": name,
        "params": {"type": "object", "properties": {"gate": {"type": "string"}}, "required": ["gate"]},
        "nodes": specs,
        "edges": [{"from": f"{source}.result", "to": f"{target}.{source}"} for source, target in EDGES],
        "outputs": {"report": "{{ nodes.report.result }}"},
    }


SQUEEZE = "def main(item):\n    if item == 'lemon':\n        raise ValueError('too sour')\n    return item + ' juice'\n"
BOTTLE = "def main(juices):\n    raise RuntimeError('the press is broken')\n"
ITEMS = {
    "spec_version": 1,
    "name": "items",
    "nodes": [
        {
            "id": "squeeze",
            "type": "python",
            "foreach": ["apple", "pear", "lemon", "plum"],
            "on_item_error": "collect",
            "config": {"code": SQUEEZE},
        },
        {"id": "bottle", "type": "python", "config": {"code": BOTTLE}},
        {"id": "label", "type": "transform", "when": False, "after": ["squeeze"], "config": {"value": "glue"}},
    ],
    "edges": [{"from": "squeeze.result", "to": "bottle.juices"}],
}


@pytest.fixture
def page() -> Iterator[Page]:
    with open_page() as page:
        page.size(1280, 800)
        page.look()
        yield page


@pytest.fixture
def api(installation: Installation) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {installation.succeed('token').strip()}"}
    with httpx.Client(base_url=installation.record["url"], headers=headers, timeout=60) as client:
        yield client


@pytest.fixture
def gate() -> Iterator[Path]:
    """A file that a node waits for, not beside the home: code nodes see nothing of it, and may run as somebody else."""
    with code_folder() as folder:
        yield folder / "gate"


def state(node: str) -> str:
    """JavaScript for what a node looks like."""
    return f"document.querySelector('[data-node={node}]')?.getAttribute('class').split(' ')[1]"


def launch(api: httpx.Client, name: str, gate: Path) -> dict[str, Any]:
    answer = api.post(f"/api/v1/graphs/{name}/runs", json={"params": {"gate": str(gate)}, "live_monitoring": True})
    answer.raise_for_status()
    launched: dict[str, Any] = answer.json()
    return launched


def test_nodes_turn_green_live_and_through_a_restart_of_the_server(
    installation: Installation, api: httpx.Client, page: Page, gate: Path
) -> None:
    installation.apply(graph("watched"))
    launched = launch(api, "watched", gate)
    page.go(launched["links"]["watch"])
    page.wait_for(f"{state('fetch')} === 'running'", "the first node is seen running")
    assert page.evaluate(state("report")) == "waiting"
    page.wait_for(f"{state('clean')} === 'done' && {state('enrich')} === 'done'", "both branches are green")
    page.wait_for(f"{state('score')} === 'running'", "the node at the gate runs")
    page.screenshot(ARTEFACTS / "watch-running.png")
    assert "ticket" not in page.evaluate("location.href")

    api_process = installation.record["pids"]["api"]
    os.kill(api_process, signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(api_process), "the server is dead")
    gate.touch()
    page.wait_for(f"{state('report')} === 'done'", "the last node is green", 60)
    page.wait_for("document.getElementById('status')?.textContent === 'succeeded'", "the run is seen to succeed")
    page.wait_for("document.getElementById('link')?.textContent === 'ended'", "the socket was closed in peace")
    assert page.evaluate("log.filter(event => event.final).length") == 1
    assert page.evaluate("missing") is False
    page.wait_for("document.getElementById('details').textContent.includes('\"parts\": 5')", "outputs are shown")
    page.screenshot(ARTEFACTS / "watch-done.png")


def test_a_reload_needs_no_new_ticket_and_a_phone_sees_all_of_it(
    installation: Installation, api: httpx.Client, page: Page, gate: Path
) -> None:
    gate.touch()
    installation.apply(graph("reloaded"))
    launched = launch(api, "reloaded", gate)
    page.size(390, 844, is_phone=True)
    page.go(launched["links"]["watch"])
    page.wait_for("document.getElementById('status')?.textContent === 'succeeded'", "the run succeeds", 60)
    page.call("Page.reload")
    page.wait_for(f"typeof nodes === 'object' && {state('report')} === 'done'", "the reloaded page shows the same")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.screenshot(ARTEFACTS / "watch-phone.png")
    assert page.complaints == []


def test_it_can_be_used_with_the_keyboard_alone(
    installation: Installation, api: httpx.Client, page: Page, gate: Path
) -> None:
    gate.touch()
    installation.apply(graph("keyboard"))
    page.go(launch(api, "keyboard", gate)["links"]["watch"])
    page.wait_for("document.getElementById('status')?.textContent === 'succeeded'", "the run succeeds", 60)
    for _ in range(10):
        if page.evaluate("document.activeElement.getAttribute('data-node')") == "fetch":
            break
        page.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('data-node')") == "fetch"
    page.press("ArrowRight")
    chosen = page.evaluate("document.activeElement.getAttribute('data-node')")
    page.press("Enter")
    assert page.evaluate("chosen") == chosen
    shown = page.evaluate("[...new Set([...document.querySelectorAll('#events .who')].map(one => one.textContent))]")
    assert shown == [chosen]
    page.press("Escape")
    assert page.evaluate("chosen") is None


def test_items_and_reasons_are_shown_in_words(installation: Installation, api: httpx.Client, page: Page) -> None:
    installation.apply(ITEMS)
    answer = api.post("/api/v1/graphs/items/runs", json={"params": {}, "live_monitoring": True}).raise_for_status()
    page.look(dark=True)
    page.go(answer.json()["links"]["watch"])
    page.wait_for("document.getElementById('status')?.textContent === 'failed'", "the run fails", 60)
    page.wait_for("!document.getElementById('failure').hidden", "the reason is shown")
    assert "the press is broken" in page.evaluate("document.getElementById('failure').textContent")
    words = page.evaluate("[...document.querySelectorAll('.node')].map(one => one.querySelector('.state').textContent)")
    assert words == ["3 ok, 1 failed", "failed", "skipped"]
    page.evaluate("document.querySelector('[data-node=squeeze]').focus()")
    page.press("Enter")
    details = page.evaluate("document.getElementById('details').innerText")
    assert "Item 2 failed" in details
    assert "too sour" in details
    assert "3 ✓ succeeded" in details
    assert page.evaluate("document.querySelector('[data-node=bottle]').getAttribute('aria-label')").startswith(
        "bottle, python, failed, RuntimeError: the press is broken"
    )
    page.screenshot(ARTEFACTS / "watch-items-dark.png")
    assert page.complaints == []


def test_a_chosen_call_shows_what_happens_in_it(installation: Installation, api: httpx.Client, page: Page) -> None:
    code = "def main(fruit):\n    print('pressing', fruit)\n"
    press = {"id": "press", "type": "python", "config": {"code": code, "args": {"fruit": "{{ params.fruit }}"}}}
    params = {"type": "object", "properties": {"fruit": {"type": "string"}}}
    installation.apply({"spec_version": 1, "name": "press-one", "params": params, "nodes": [press]})
    call = {"graph": "press-one", "params": {"fruit": "{{ item }}"}}
    calls = {"id": "each", "type": "graph", "foreach": ["apple", "pear"], "config": call}
    other = {"id": "other", "type": "log", "config": {"message": "beside it"}}
    installation.apply({"spec_version": 1, "name": "press-all", "nodes": [calls, other]})
    answer = api.post("/api/v1/graphs/press-all/runs", json={"live_monitoring": True}).raise_for_status()
    page.size(390, 844, is_phone=True)
    page.go(answer.json()["links"]["watch"])
    page.wait_for("document.getElementById('status')?.textContent === 'succeeded'", "the run succeeds", 60)
    page.evaluate("document.querySelector('[data-node=each]').focus()")
    page.press("Enter")
    shown = page.evaluate("[...new Set([...document.querySelectorAll('#events .who')].map(one => one.textContent))]")
    assert sorted(shown) == ["each", "each[0]", "each[0]/press", "each[1]", "each[1]/press"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.screenshot(ARTEFACTS / "watch-call-phone.png")


def test_without_a_ticket_it_asks_who_is_there(
    installation: Installation, api: httpx.Client, page: Page, gate: Path
) -> None:
    gate.touch()
    installation.apply(graph("asked"))
    launched = launch(api, "asked", gate)
    page.go(launched["links"]["watch"].partition("?")[0])
    page.wait_for("document.getElementById('login')?.open", "the page asks")
    page.screenshot(ARTEFACTS / "watch-login.png")
    token = installation.succeed("token").strip()
    page.evaluate(f"document.getElementById('token').value = {token!r}")
    page.evaluate("document.querySelector('#login button').click()")
    page.wait_for("document.getElementById('status')?.textContent === 'succeeded'", "the run succeeds", 60)
    assert page.evaluate("document.getElementById('login').open") is False

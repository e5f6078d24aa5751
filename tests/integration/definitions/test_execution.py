"""Runs of real graphs, executed in this process."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from definitions.execution.context import process_context
from platform_core.secret_sources.operators import EnvironmentSecrets
from platform_core.secret_sources.outside import OutsideSecrets
from platform_core.secret_sources.source import Shared
from platform_core.secret_sources.vault import FixedToken, VaultPlace, VaultSecrets
from tests.integration.definitions.documents import delay, document, python, transform
from tests.integration.definitions.site import Site
from tests.integration.nodes.brokers import free_port

TELL = """
import json, socket, time
def told_before(board: int, word: str) -> list:
    with socket.create_connection(("127.0.0.1", board), 30) as connection, connection.makefile("rw") as file:
        print(word, file=file, flush=True)
        return json.loads(file.readline())
"""
MEET = f"""{TELL}
def main(board: int, me: str, other: str) -> str:
    while other not in told_before(board, me):
        time.sleep(0.01)
    return f"met {{other}}"
"""
SECOND_TIME = f"""{TELL}
def main(board: int) -> str:
    if "tried" in told_before(board, "tried"):
        return "second attempt"
    raise RuntimeError("first attempt")
"""


@pytest.fixture(scope="module", autouse=True)
def _interpreter(site: Site) -> None:
    process_context().interpreter.start()


@pytest.fixture
def board() -> Iterator[int]:
    """Where users' code meets, as it shares no folder: the port of a server that answers a word with all before it."""
    words: list[str] = []

    class Board(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            word = self.rfile.readline().decode().strip()
            self.wfile.write(f"{json.dumps(words)}\n".encode())
            words.append(word)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Board) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_run_gives_its_outputs_and_its_whole_story(site: Site) -> None:
    run_id = site.execute(
        document(
            "sum",
            transform("one", 1),
            transform("two", "{{ inputs.x + 1 }}"),
            edges=("one.value -> two.x",),
            outputs={"sum": "{{ nodes.two.value }}"},
        )
    )
    run = site.run(run_id)
    assert (run.status, run.outputs, run.error) == ("SUCCESS", {"sum": 2}, None)
    assert site.story(run_id) == [
        ("run.queued", None),
        ("run.started", None),
        ("node.started", "one"),
        ("node.output", "one"),
        ("node.succeeded", "one"),
        ("node.started", "two"),
        ("node.output", "two"),
        ("node.succeeded", "two"),
        ("run.succeeded", None),
    ]


def test_independent_nodes_run_at_once(site: Site, board: int) -> None:
    """Each waits until the other has started: one after the other, neither would ever end."""
    names = ["a", "b", "c"]
    nodes = [
        python(me, MEET, args={"board": board, "me": me, "other": names[number - 1]}) for number, me in enumerate(names)
    ]
    run_id = site.execute(document("meeting", *nodes, outputs={"a": "{{ nodes.a.result }}"}))
    assert (site.run(run_id).status, site.run(run_id).outputs) == ("SUCCESS", {"a": "met c"})


def test_failed_node_fails_the_run_while_independent_branches_finish(site: Site) -> None:
    run_id = site.execute(
        document(
            "branches",
            python("bad", "def main():\n    raise ValueError('no water')\n"),
            transform("after_bad", "{{ inputs.x }}"),
            delay("slow", "1s"),
            transform("after_slow", "done", after=["slow"]),
            edges=("bad.result -> after_bad.x",),
            outputs={"never": "{{ nodes.after_bad.value }}"},
        )
    )
    run = site.run(run_id)
    assert (run.status, run.outputs) == ("FAILURE", None)
    message = "ValueError: no water\n  line 2 in main: raise ValueError('no water')"
    assert run.error == {"kind": "code_error", "message": message, "node": "bad", "attempts": 1}
    ends = site.story(run_id, "node.failed", "node.succeeded", "node.started", "run.failed")
    assert [node for type, node in ends if node == "after_bad" and type == "node.started"] == []
    assert ("node.failed", "bad") in ends
    assert ends[-2:] == [("node.succeeded", "after_slow"), ("run.failed", "bad")]


def test_failed_node_is_tried_again_after_its_delay(site: Site, board: int) -> None:
    retry = {"max_attempts": 2, "delay": "100ms"}
    node = python("flaky", SECOND_TIME, args={"board": board}, retry=retry)
    run_id = site.execute(document("flaky", node, outputs={"answer": "{{ nodes.flaky.result }}"}))
    assert site.run(run_id).outputs == {"answer": "second attempt"}
    assert site.story(run_id)[2:] == [
        ("node.started", "flaky"),
        ("node.retrying", "flaky"),
        ("node.started", "flaky"),
        ("node.output", "flaky"),
        ("node.succeeded", "flaky"),
        ("run.succeeded", None),
    ]
    retrying = site.events(run_id)[3]
    assert (retrying.level, retrying.data["kind"], retrying.data["delay"]) == ("warning", "code_error", 0.1)
    assert retrying.message.splitlines()[0] == "RuntimeError: first attempt"
    restarted = site.events(run_id)[4]
    assert (restarted.ts - retrying.ts).total_seconds() >= 0.1


def test_node_that_fails_every_attempt_fails_the_run(site: Site) -> None:
    retry = {"max_attempts": 3, "delay": "10ms"}
    run_id = site.execute(document("hopeless", python("bad", "def main():\n    raise ValueError('no')\n", retry=retry)))
    error = site.run(run_id).error
    assert error is not None
    assert (error["kind"], error["node"]) == ("code_error", "bad")
    attempts = site.story(run_id, "node.started", "node.retrying", "node.failed")
    assert [type for type, _ in attempts] == [*["node.started", "node.retrying"] * 2, "node.started", "node.failed"]


@pytest.mark.parametrize(
    ("node", "kind"),
    [
        (delay("late", "10m", timeout="100ms"), "timeout"),
        (python("late", "import time\ndef main():\n    time.sleep(600)\n", timeout="500ms"), "code_timeout"),
    ],
    ids=["delay", "python"],
)
def test_node_that_takes_longer_than_its_timeout_fails(site: Site, node: dict[str, object], kind: str) -> None:
    run_id = site.execute(document("late", node))
    error = site.run(run_id).error
    assert error is not None
    assert (error["kind"], error["node"]) == (kind, "late")


def test_printed_lines_are_events_and_lines_of_dagsters_log(site: Site) -> None:
    run_id = site.execute(document("printer", python("say", "def main():\n    print('a\\0b')\n    return 1\n")))
    printed = [event for event in site.events(run_id) if event.type == "stdout"]
    assert [(event.node, event.message) for event in printed] == [("say", "a\ufffdb")]
    assert site.run(run_id).status == "SUCCESS"
    messages = [entry.user_message for entry in site.instance.all_logs(run_id) if not entry.is_dagster_event]
    assert len(messages) == 1


def test_missing_secret_fails_the_node_without_another_attempt(site: Site) -> None:
    node = {
        "id": "call",
        "type": "http.request",
        "config": {"url": "http://127.0.0.1:9/", "headers": {"x": "{{ secrets.nothing }}"}},
        "retry": {"max_attempts": 5},
    }
    run_id = site.execute(document("caller", node))
    error = site.run(run_id).error
    assert error is not None
    assert (error["kind"], error["node"]) == ("secret_missing", "call")
    assert site.story(run_id, "node.retrying") == []


def test_a_secret_of_the_environment_is_read_masked_and_recorded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = Shared({"outside": [site.run(site.execute(document("who", transform("a", 1)))).owner]})
    source = EnvironmentSecrets({"outside": SecretStr("of-the-operator")}, shared)
    monkeypatch.setattr(process_context(), "outside_secrets", OutsideSecrets([source]))
    node = {"id": "tell", "type": "python", "config": {
        "code": "import os\ndef main(): return 'told ' + os.environ['K']",
        "env": {"K": "{{ secrets.outside }}"}}}  # fmt: skip
    run_id = site.execute(document("outsider", node, outputs={"said": "{{ nodes.tell.result }}"}))
    assert site.run(run_id).outputs == {"said": "told ***"}
    [row] = site.fetch("SELECT target_name, after FROM headrace.audit WHERE actor_id = :run", run=run_id)
    assert tuple(row) == ("outside", '{"source":"environment"}')


def test_a_place_of_secrets_that_is_away_fails_the_attempt_and_not_the_next(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = VaultPlace(f"http://127.0.0.1:{free_port()}", "secret", "headrace")
    monkeypatch.setattr(process_context(), "outside_secrets", OutsideSecrets([VaultSecrets(place, FixedToken("t"))]))
    node = {"id": "call", "type": "shell", "config": {"script": "true", "env": {"K": "{{ secrets.k }}"}},
            "retry": {"max_attempts": 2, "delay": 0}}  # fmt: skip
    run_id = site.execute(document("waiter", node))
    error = site.run(run_id).error
    assert error is not None
    assert (error["kind"], error["node"]) == ("secret_unavailable", "call")
    assert site.story(run_id, "node.retrying") == [("node.retrying", "call")]


def test_failing_outputs_fail_the_run_without_naming_a_node(site: Site) -> None:
    run_id = site.execute(document("halves", transform("none", None), outputs={"half": "{{ nodes.none.value / 2 }}"}))
    error = site.run(run_id).error
    assert error is not None
    assert (error["kind"], error["node"]) == ("template_error", None)
    assert site.story(run_id)[-1] == ("run.failed", None)


def test_params_reach_templates_and_values_stay_readable_after_the_run(site: Site) -> None:
    params = {"type": "object", "properties": {"name": {"type": "string"}}}
    graph = document("greeter", transform("greet", "hello {{ params.name }}"), params=params)
    run_id = site.execute(graph, {"name": "Ada"})
    assert site.storage.read_value(run_id, "greet", "value").text == '"hello Ada"'
    with pytest.raises(KeyError):
        site.storage.read_value(run_id, "greet", "other")


def test_many_nodes_are_executed_by_few_threads(site: Site) -> None:
    nodes = [transform(f"n{number}", number) for number in range(60)]
    run_id = site.execute(document("wide", *nodes, outputs={"last": "{{ nodes.n59.value }}"}))
    assert site.run(run_id).outputs == {"last": 59}
    assert len(site.story(run_id, "node.succeeded")) == 60

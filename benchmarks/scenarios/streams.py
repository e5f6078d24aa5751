"""The stream API alone, with an embedded PostgreSQL: many followers, live delay, many runs, replay, memory."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg

from benchmarks.figures.figure import Figure
from platform_core.database import schema
from platform_core.database.engine import build_engine, plain_url, transaction
from platform_core.database.postgres import EmbeddedPostgres
from platform_core.facts.trigger_kind import TriggerKind
from platform_core.graphs.graph_store import save_graph
from platform_core.identity.auth import issue_token
from platform_core.identity.keys import KeyRing
from platform_core.identity.signing_keys import SigningKeys
from platform_core.identity.user_store import create_user
from platform_core.runs.run_store import NewRun, accept_run
from platform_core.settings import Settings

ROOT = Path(__file__).parents[2]
SERVER = """
import pathlib, socket, sys
from platform_core.database.engine import build_engine
from platform_core.identity.keys import KeyRing
from platform_core.identity.signing_keys import SigningKeys
from platform_core.settings import Settings
from platform_core.web.server import Server, server_config
from stream_api.app import create_app

settings = Settings(home=pathlib.Path(sys.argv[1]), database_url=sys.argv[2], streams_per_user=5000)
app = create_app(settings, engine=build_engine(sys.argv[2]), keys=KeyRing.load_or_create(settings))
server = Server(server_config(app), drain=app.state.streams.drain)
server.run(sockets=[socket.socket(fileno=int(sys.argv[3]))])
"""
APPEND = """
WITH run AS (
    UPDATE headrace.runs SET last_seq = last_seq + %(count)s, status = coalesce(%(status)s, status)
    WHERE run_id = %(run)s RETURNING run_id, last_seq
), written AS (
    INSERT INTO headrace.run_events (run_id, seq, ts, type, level, message, data)
    SELECT run_id, last_seq - %(count)s + n, clock_timestamp(), %(type)s, 'info', 'a line of output', %(data)s
    FROM run, generate_series(1, %(count)s) AS n
)
SELECT pg_notify('headrace_events', run_id || ':' || last_seq) FROM run
"""


@dataclass(frozen=True)
class Bench:
    """A stream process, its database, and a user."""

    home: Path
    url: str
    database_url: str
    token: str
    owner_id: str
    process: psutil.Process

    def make_runs(self, count: int) -> list[str]:
        """Accepted runs."""
        engine = build_engine(self.database_url)
        with transaction(engine) as connection:
            owner = self.owner_id
            graph, _ = save_graph(
                connection, owner_id=owner, name="flow", document="{}", sha256="0" * 64, created_by=owner
            )
            new = NewRun(graph.id, graph.version, self.owner_id, {}, TriggerKind.MANUAL)
            runs = [accept_run(connection, new)[0].run_id for _ in range(count)]
        engine.dispose()
        return runs

    def memory(self) -> int:
        """Bytes that only the stream process holds."""
        return int(self.process.memory_full_info().uss)

    def processor_seconds(self) -> float:
        """What the stream process has used of the processors."""
        used = self.process.cpu_times()
        return float(used.user + used.system)


@dataclass(frozen=True)
class Followed:
    """What the clients of one load saw. `memory` is bytes for each client, `processor` seconds per event and client."""

    delays: list[float]
    memory: float
    processor: float


def measure(repetitions: int) -> list[Figure]:
    """Each figure once; the delays are the samples. It takes one to two minutes."""
    seconds = 10 if repetitions >= 10 else 4
    with running() as bench:
        one = follow(bench, clients=1, runs=1, rate=200, seconds=seconds)
        many = follow(bench, clients=1000, runs=1, rate=20, seconds=seconds)
        wide = follow(bench, clients=200, runs=200, rate=200, seconds=seconds)
        speed, growth = replay(bench, 100_000)
    crowd = thinned(many.delays)
    milli = [delay * 1000 for delay in one.delays]
    return [
        Figure("event committed to SSE client, 200 events/s", "ms", milli, goal="p50 4 ms, p99 15 ms"),
        Figure("1,000 SSE followers of one run, 20 events/s", "s", crowd, goal="p99 0.15 s"),
        Figure("memory of each of them", "kB", [many.memory / 1024], goal="20 kB"),
        Figure("processor time of the stream process per event and follower", "µs", [many.processor * 1e6]),
        Figure("200 runs followed by 200 clients, 200 events/s", "s", thinned(wide.delays)),
        Figure("replay of 100,000 events", "events/s", [speed], goal="60,000"),
        Figure("memory that the replay added", "MB", [growth / 2**20], goal="flat"),
    ]


def thinned(values: list[float], most: int = 1000) -> list[float]:
    """As many of them, evenly by rank: their percentiles are those of all, the largest stays."""
    if len(values) <= most:
        return values
    ranked = sorted(values)
    return [ranked[round(number * (len(ranked) - 1) / (most - 1))] for number in range(most)]


def follow(bench: Bench, *, clients: int, runs: int, rate: int, seconds: int) -> Followed:
    """Write so many events a second while they are followed. Raises if a client missed or doubled one."""
    run_ids = bench.make_runs(runs)
    before = bench.memory()
    with loaded(bench, clients, run_ids) as load:
        assert load.stdout is not None
        assert load.stdout.readline().strip() == "connected"
        each = (bench.memory() - before) / clients
        used = bench.processor_seconds()
        with psycopg.connect(plain_url(bench.database_url), autocommit=True) as connection:
            began = time.time()
            for number in range(rate * seconds):
                time.sleep(max(0.0, began + number / rate - time.time()))
                append(connection, run_ids[number % runs], "stdout")
            for run_id in run_ids:
                append(connection, run_id, "run.succeeded", status="SUCCESS")
        result: dict[str, Any] = json.loads(load.stdout.readline())
    assert result["whole"] == clients, result["events"]
    assert result["events"] == [rate * seconds // runs + 2]
    delays = result["delays"]
    return Followed(delays, each, (bench.processor_seconds() - used) / len(delays))


@contextmanager
def loaded(bench: Bench, clients: int, run_ids: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A process that follows the runs; it is gone afterwards, whatever happened."""
    command = [sys.executable, "-m", "benchmarks.load.stream_load"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as load:
        try:
            assert load.stdin is not None
            order = {"url": bench.url, "token": bench.token, "clients": clients, "runs": run_ids}
            load.stdin.write(json.dumps(order) + "\n")
            load.stdin.flush()
            yield load
        finally:
            load.kill()


def replay(bench: Bench, count: int) -> tuple[float, int]:
    """Events a second of a run's whole history, and the bytes that the process grew by."""
    (run_id,) = bench.make_runs(1)
    with psycopg.connect(plain_url(bench.database_url), autocommit=True) as connection:
        append(connection, run_id, "stdout", count=count - 2)
        append(connection, run_id, "run.succeeded", status="SUCCESS")
    before, began, seen = bench.memory(), time.monotonic(), 0
    headers = {"Authorization": f"Bearer {bench.token}"}
    with httpx.stream("GET", f"{bench.url}/api/v1/runs/{run_id}/events", headers=headers, timeout=120) as answer:
        for part in answer.iter_raw():
            seen += part.count(b"\nevent: ")
    seconds = time.monotonic() - began
    assert seen >= count * 0.999, seen  # a part may end inside of what is counted
    return count / seconds, bench.memory() - before


def append(
    connection: psycopg.Connection, run_id: str, kind: str, *, count: int = 1, status: str | None = None
) -> None:
    """More events of a run, in one statement; their data says when."""
    data = json.dumps({"t": time.time()}, separators=(",", ":"))
    connection.execute(APPEND, {"run": run_id, "type": kind, "count": count, "status": status, "data": data})


@contextmanager
def running() -> Iterator[Bench]:
    """A stream process on a database of its own."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="headrace-bench-")))
        server = EmbeddedPostgres(home)
        server.prepare()
        options: dict[str, Any] = {**server.options(), "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        database = subprocess.Popen(server.command(), **options)
        stack.callback(database.wait)
        stack.callback(database.send_signal, 2)
        while not server.is_ready():
            time.sleep(0.05)
        server.ensure_database()
        schema.migrate(server.url)
        engine = build_engine(server.url)
        with transaction(engine) as connection:
            owner = create_user(connection, "ada", "correct horse battery", "editor")
            keys = SigningKeys(KeyRing.load_or_create(Settings(home=home)))
            token = issue_token(connection, keys, owner.id, 3600)
        engine.dispose()
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=2048))
        command = [sys.executable, "-c", SERVER, str(home), server.url, str(listening.fileno())]
        process = subprocess.Popen(command, pass_fds=[listening.fileno()], cwd=ROOT, env=dict(os.environ))
        stack.callback(process.wait)
        stack.callback(process.terminate)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        while httpx.get(f"{url}/healthz", timeout=60).status_code != 200:
            time.sleep(0.05)
        yield Bench(home, url, server.url, token, owner.id, psutil.Process(process.pid))

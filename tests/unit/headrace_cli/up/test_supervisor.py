"""The supervisor, on small real processes."""

from __future__ import annotations

import os
import signal
import socket
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from headrace_cli.up.child import Program
from headrace_cli.up.supervisor import StartFailed, StopRequested, Supervisor
from platform_core.backoff import Backoff
from tests.waiting import wait_until

SLEEP = "import time; time.sleep(600)"


def program(name: str, code: str, **changes: object) -> Program:
    """A Python program that counts as working at once, unless `probe` says otherwise."""
    settings = {"probe": lambda _: True, **changes}
    command = [sys.executable, "-c", textwrap.dedent(code)]
    return Program(name=name, command=command, environment=dict(os.environ), **settings)  # type: ignore[arg-type]  # the fields under test


class Console:
    """Keeps what a supervisor says and shows."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.shown: list[str] = []

    def say(self, name: str, text: str) -> None:
        self.said.append(f"{name}: {text}")

    def show(self, name: str, line: str) -> None:
        self.shown.append(f"{name}: {line}")


@pytest.fixture
def console() -> Console:
    return Console()


@pytest.fixture
def supervisor(tmp_path: Path, console: Console) -> Iterator[Supervisor]:
    with Supervisor(
        tmp_path, say=console.say, show=console.show, backoff=lambda: Backoff(0.01, 0.05), stop_timeout=5.0
    ) as supervisor:
        yield supervisor


def stop_when(condition: Callable[[], object]) -> threading.Thread:
    """Send this process SIGTERM, as an operator would, once the condition holds."""

    def wait() -> None:
        wait_until(condition, "what the supervisor is watched for")
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


ACCEPTS = """
import socket, sys
connection, _ = socket.socket(fileno=int(sys.argv[1])).accept()
connection.sendall(b"here")
"""


def test_programs_of_a_socket_start_with_its_first_connection(supervisor: Supervisor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as endpoint:
        accepts = program("accepts", ACCEPTS, pass_fds=(endpoint.fileno(),))
        accepts = replace(accepts, command=[*accepts.command, str(endpoint.fileno())])
        supervisor.start_when_asked(endpoint, [program("beside", SLEEP), accepts])
        assert supervisor.pids == {}
        with socket.create_connection(endpoint.getsockname(), timeout=30) as client:
            watching = stop_when(lambda: client.recv(4) == b"here")
            with pytest.raises(StopRequested):
                supervisor.watch()
            watching.join()
            assert "beside" in supervisor.pids


REFUSES_UNTIL = (
    """
import pathlib, socket, sys
if not pathlib.Path(sys.argv[2]).exists():
    sys.exit(3)
"""
    + ACCEPTS
)


def test_who_waits_for_a_program_that_does_not_come_up_is_turned_away_and_the_next_has_it_tried_again(
    supervisor: Supervisor, console: Console, tmp_path: Path
) -> None:
    answers: list[bytes] = []
    mended = tmp_path / "mended"

    def ask_twice() -> None:
        for _ in range(2):
            with socket.create_connection(endpoint.getsockname(), timeout=30) as client:
                answers.append(client.recv(4))
            mended.touch()

    with socket.create_server(("127.0.0.1", 0)) as endpoint:
        accepts = program("accepts", REFUSES_UNTIL, pass_fds=(endpoint.fileno(),), probe=lambda _: False)
        accepts = replace(accepts, command=[*accepts.command, str(endpoint.fileno()), str(mended)])
        supervisor.start_when_asked(endpoint, [program("beside", SLEEP), accepts])
        asking = threading.Thread(target=ask_twice)
        asking.start()
        watch_until(supervisor, lambda: len(answers) == 2)
        asking.join()
    assert answers == [b"", b"here"]
    assert any("it is tried again when somebody asks for it" in line for line in console.said)


def watch_until(supervisor: Supervisor, condition: Callable[[], object]) -> None:
    thread = stop_when(condition)
    with pytest.raises(StopRequested, match="SIGTERM"):
        supervisor.watch()
    thread.join()


def test_output_of_a_child_goes_to_its_log_and_to_the_console(
    supervisor: Supervisor, console: Console, tmp_path: Path
) -> None:
    supervisor.start(program("talker", "import sys; print('out'); print('err', file=sys.stderr)", probe=None))
    supervisor.wait_ready(["talker"], 10)
    assert sorted((tmp_path / "talker.log").read_text().splitlines()) == ["err", "out"]
    assert sorted(console.shown) == ["talker: err", "talker: out"]


def test_killed_child_is_started_again_and_the_line_says_why(supervisor: Supervisor, console: Console) -> None:
    supervisor.start(program("sleeper", SLEEP))
    supervisor.wait_ready(["sleeper"], 10)
    first = supervisor.pids["sleeper"]
    os.kill(first, signal.SIGKILL)
    watch_until(supervisor, lambda: "sleeper: works again" in console.said)
    assert supervisor.pids["sleeper"] != first
    assert console.said[0].startswith("sleeper: killed by SIGKILL after ")
    assert console.said[0].endswith("starting it again in 0.0 s")


def test_child_that_exits_is_started_again_with_its_exit_code_named(supervisor: Supervisor, console: Console) -> None:
    supervisor.start(program("quitter", "raise SystemExit(7)"))
    watch_until(supervisor, lambda: sum("exited with code 7" in line for line in console.said) >= 2)


def test_child_that_keeps_crashing_before_it_ever_worked_fails_the_start(supervisor: Supervisor) -> None:
    supervisor.start(program("broken", "raise SystemExit('no database')", probe=lambda _: False))
    with pytest.raises(StartFailed) as failure:
        supervisor.wait_ready(["broken"], 30)
    assert (failure.value.name, failure.value.reason) == ("broken", "exited with code 1")
    assert failure.value.tail == ["no database"] * 4


def test_child_that_never_answers_fails_the_start_after_the_timeout(supervisor: Supervisor) -> None:
    supervisor.start(program("mute", SLEEP, probe=lambda _: False))
    with pytest.raises(StartFailed, match=r"mute does not answer after 0\.2 s"):
        supervisor.wait_ready(["mute"], 0.2)


def test_task_is_ready_once_it_exits_with_zero_and_is_not_started_again(
    supervisor: Supervisor, console: Console
) -> None:
    supervisor.start(program("task", "", probe=None))
    supervisor.wait_ready(["task"], 10)
    assert dict(supervisor.pids) == {}
    assert console.said == []


def test_failed_task_fails_the_start_at_once(supervisor: Supervisor) -> None:
    supervisor.start(program("task", "raise SystemExit('schema is newer')", probe=None))
    with pytest.raises(StartFailed, match="task exited with code 1") as failure:
        supervisor.wait_ready(["task"], 10)
    assert failure.value.tail == ["schema is newer"]


def test_signal_during_the_start_ends_it(supervisor: Supervisor) -> None:
    supervisor.start(program("mute", SLEEP, probe=lambda _: False))
    thread = stop_when(lambda: supervisor.pids)
    with pytest.raises(StopRequested):
        supervisor.wait_ready(["mute"], 30)
    thread.join()


def test_stop_ends_children_their_descendants_and_those_that_ignore_sigterm(console: Console, tmp_path: Path) -> None:
    family = f"""
        import subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", {SLEEP!r}])
        open({str(tmp_path / "grandchild")!r}, "w").write(str(child.pid))
        time.sleep(600)
    """
    stubborn = f"""
        import pathlib, signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        pathlib.Path({str(tmp_path / "deaf")!r}).touch()
        time.sleep(600)
    """
    with Supervisor(tmp_path, say=console.say, show=console.show, stop_timeout=0.5) as supervisor:
        supervisor.start(program("family", family, probe=lambda _: (tmp_path / "grandchild").exists()))
        supervisor.start(program("stubborn", stubborn, probe=lambda _: (tmp_path / "deaf").exists()))
        supervisor.wait_ready(["family", "stubborn"], 10)
        grandchild = wait_until(lambda: int((tmp_path / "grandchild").read_text() or 0), "its pid")
        pids = [*supervisor.pids.values(), grandchild]
    wait_until(lambda: not any(_runs(pid) for pid in pids), "all processes have ended")
    assert console.said == ["stubborn: did not end within 0.5 s; killing it"]


def test_foundation_is_ended_after_all_others(supervisor: Supervisor, tmp_path: Path) -> None:
    log = tmp_path / "order"

    def code(name: str) -> str:
        return f"""
            import pathlib, signal, sys, time
            def end(*_):
                with open({str(log)!r}, "a") as file: file.write("{name}\\n")
                sys.exit(0)
            signal.signal(signal.SIGTERM, end)
            pathlib.Path({str(tmp_path)!r}, "{name}").touch()
            time.sleep(600)
        """

    for name in ("database", "service"):
        ready = (tmp_path / name).exists
        supervisor.start(program(name, code(name), probe=lambda _, r=ready: r(), foundation=name == "database"))
    supervisor.wait_ready(["database", "service"], 10)
    supervisor.stop()
    assert log.read_text().split() == ["service", "database"]


def test_optional_program_that_ends_is_not_started_again(supervisor: Supervisor, console: Console) -> None:
    supervisor.start(program("extra", SLEEP, optional=True, probe=lambda _: False))
    os.kill(supervisor.pids["extra"], signal.SIGKILL)
    supervisor.wait_ready(["extra"], 10)
    assert console.said == ["extra: killed by SIGKILL; going on without it"]
    assert dict(supervisor.pids) == {}


def test_program_is_forked_where_that_is_possible_and_executed_otherwise(tmp_path: Path, console: Console) -> None:
    def fork(program: Program, output: int) -> int | None:
        if program.name != "forked":
            return None
        pid = os.fork()
        if pid == 0:
            os.setsid()
            os.write(output, b"forked\n")
            os._exit(0)
        return pid

    with Supervisor(tmp_path, say=console.say, show=console.show, fork=fork) as supervisor:
        for name in ("forked", "executed"):
            supervisor.start(program(name, "print('executed')", probe=None))
        supervisor.wait_ready(["forked", "executed"], 10)
    assert sorted(console.shown) == ["executed: executed", "forked: forked"]


@pytest.mark.usefixtures("_subreaper")
def test_orphans_that_the_process_adopted_are_reaped(supervisor: Supervisor, tmp_path: Path) -> None:
    code = f"""
        import os, subprocess, sys
        process = subprocess.Popen([sys.executable, "-c", "pass"], start_new_session=True)
        open({str(tmp_path / "orphan")!r}, "w").write(str(process.pid))
        os._exit(0)
    """
    supervisor.start(program("parent", code, probe=None))
    supervisor.wait_ready(["parent"], 10)
    orphan = int((tmp_path / "orphan").read_text())
    watch_until(supervisor, lambda: not psutil.pid_exists(orphan))


@pytest.mark.parametrize("console_fails", [False, True])
def test_program_that_writes_much_ends_although_the_disk_is_full(tmp_path: Path, console_fails: bool) -> None:
    """More than a pipe holds: nobody would take it from the program if the copying ended with the first failure."""
    console = Console()

    def show(name: str, line: str) -> None:
        if console_fails:
            raise OSError("closed")
        console.show(name, line)

    (tmp_path / "talker.log").symlink_to("/dev/full")
    with Supervisor(tmp_path, say=console.say, show=show) as supervisor:
        supervisor.start(program("talker", "for number in range(3000): print('x' * 99)", probe=None))
        supervisor.wait_ready(["talker"], 30)
    assert len(console.shown) == (0 if console_fails else 3000)


def test_probe_that_raises_is_repeated_and_said_once_for_each_error(supervisor: Supervisor, console: Console) -> None:
    answers = [KeyError("data"), KeyError("data"), ValueError("no JSON"), True]

    def probe(_: float) -> bool:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return bool(answer)

    supervisor.start(program("odd", SLEEP, probe=probe))
    supervisor.wait_ready(["odd"], 30)
    assert console.said == [
        "odd: cannot be probed: KeyError: 'data'",
        "odd: cannot be probed: ValueError: no JSON",
    ]


def test_change_of_the_processes_is_reported(supervisor: Supervisor) -> None:
    seen: list[dict[str, int]] = []
    supervisor.on_change = lambda: seen.append(dict(supervisor.pids))
    supervisor.start(program("sleeper", SLEEP))
    first = supervisor.pids["sleeper"]
    os.kill(first, signal.SIGKILL)
    watch_until(supervisor, lambda: len(seen) == 2)
    assert [list(pids) for pids in seen] == [["sleeper"], ["sleeper"]]
    assert seen[0]["sleeper"] != seen[1]["sleeper"]


def _runs(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE

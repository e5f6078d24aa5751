"""Users' code in real processes: what it prints, what it can reach, many calls at once, and sudden ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from definitions.sandbox.interpreter import CodeInterpreter
from graph_compiler.values.errors import NodeError
from tests.unit.definitions.conftest import Line, Run, failure, new_name, pid_of
from tests.waiting import wait_until

SLEEPER = """
import ctypes, time
def main(name):
    ctypes.CDLL(None).prctl(15, name.encode())  # PR_SET_NAME: its process id is another outside of its namespace
    print(name)
    time.sleep(600)
"""


class Sleeper:
    """A call that sleeps for ever, running in a thread; `pid` is the process that sleeps, as we see it."""

    def __init__(self, interpreter: CodeInterpreter) -> None:
        self._name = new_name()
        self.lines: list[str] = []
        self._outcome: Future[Any] = Future()
        self._thread = threading.Thread(target=self._run, args=(interpreter,))
        self._thread.start()
        wait_until(lambda: self.lines, "the code runs")
        self.pid = pid_of(self._name)

    def _run(self, interpreter: CodeInterpreter) -> None:
        try:
            arguments = {"name": self._name}
            interpreter.run(SLEEPER, arguments, timeout=None, on_line=lambda _, text: self.lines.append(text))
        except BaseException as error:
            self._outcome.set_exception(error)

    def failure(self) -> tuple[str, str]:
        error = self._outcome.exception(timeout=20)
        self._thread.join()
        assert isinstance(error, NodeError)
        return error.kind, error.message


class TestOutput:
    def test_both_streams_arrive_as_lines_in_order(self, run: Run, lines: list[Line]) -> None:
        code = """
import os, sys
def main():
    print("one\\ntwo", end="")
    print("oops", file=sys.stderr)
    os.write(1, "\u00fc\\0\\xff\\r\\n".encode("latin-1"))
    sys.stdout.write(" \\U0001f600 \\udc80 no end")
"""
        run(code)
        assert [text for stream, text in lines if stream == "stdout"] == [
            "one",
            "two\ufffd\ufffd\ufffd",
            " \U0001f600 \\udc80 no end",
        ]
        assert [text for stream, text in lines if stream == "stderr"] == ["oops"]

    def test_a_line_arrives_while_the_code_runs(self, interpreter: CodeInterpreter) -> None:
        delays: list[float] = []
        code = "import time\ndef main():\n    for _ in range(5):\n        print(time.time())\n        time.sleep(0.02)"
        interpreter.run(code, {}, timeout=20, on_line=lambda _, text: delays.append(time.time() - float(text)))
        assert len(delays) == 5
        assert sorted(delays)[2] < 0.1

    def test_a_flood_is_cut_and_says_so(self, run: Run, lines: list[Line]) -> None:
        assert run("def main():\n    for n in range(300_000): print(n)\n    return 'done'") == "done"
        assert lines == [("stdout", str(n)) for n in range(10_000)] + [
            ("stdout", "[stdout is cut here: a call may write 10000 lines or 8388608 bytes]")
        ]

    def test_code_that_writes_without_end_runs_into_its_time(self, run: Run, lines: list[Line]) -> None:
        code = "import os\ndef main():\n    while True: os.write(1, b'x' * 65536)"
        assert failure(run, code, timeout=2.0)[0] == "code_timeout"
        assert sum(len(text) for _, text in lines[:-1]) == 8 * 2**20
        assert lines[-1][1].startswith("[stdout is cut here")

    def test_code_that_closes_its_streams_still_returns(self, run: Run) -> None:
        assert run("import os, sys\ndef main():\n    sys.stdout.close()\n    os.close(2)\n    return 1") == 1

    def test_an_exception_of_on_line_comes_out_and_ends_the_call(self, interpreter: CodeInterpreter) -> None:
        pids: list[int] = []

        def refuse(_: str, text: str) -> None:
            pids.append(pid_of(text))
            raise LookupError("no")

        with pytest.raises(LookupError):
            interpreter.run(SLEEPER, {"name": new_name()}, timeout=None, on_line=refuse)
        assert not psutil.pid_exists(pids[0])


class TestReach:
    def test_no_descriptor_is_there_but_its_own(self, run: Run) -> None:
        code = """
import os
def main():
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[name] = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            pass
    return found
"""
        found = run(code)
        own = {name: found.pop(name) for name in ("0", "1", "2")}
        assert own["0"] == "/dev/null"
        assert own["1"].startswith("pipe:")
        assert own["2"].startswith("pipe:")
        pipes = [place for place in found.values() if place.startswith("pipe:")]
        folders = [place for place in found.values() if not place.startswith("pipe:")]
        assert len(pipes) == 1  # its frames
        assert all(Path(place).is_dir() and "python3" in place for place in folders)  # where it imports from

    def test_the_environment_holds_nothing_of_the_worker(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HEADRACE_SECRET_KEY", "known")
        with CodeInterpreter() as interpreter:
            code = "import os\ndef main(): return dict(os.environ)"
            environment = interpreter.run(code, {}, timeout=20, on_line=lambda *_: None)
        assert set(environment) <= {"PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "HOME", "TMPDIR"}

    def test_no_process_above_it_can_be_read(self, run: Run) -> None:
        code = """
import os
def main(worker):
    read = []
    for pid in (os.getppid(), worker):
        for name in ("environ", "mem", "fd", "maps"):
            try:
                path = f"/proc/{pid}/{name}"
                read.append(os.listdir(path) if name == "fd" else open(path, "rb").read(100).decode("latin-1"))
            except OSError:
                pass
    return read
"""
        assert run(code, {"worker": os.getpid()}) == []

    def test_the_standard_input_is_empty(self, run: Run) -> None:
        assert run("import sys\ndef main(): return [sys.stdin.read(), input.__name__]") == ["", "input"]

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give code a user of its own")
    def test_each_call_has_a_user_of_its_own_and_no_way_back(self, run: Run) -> None:
        code = """
import os
def main(path):
    try:
        open(path)
    except OSError as error:
        refused = type(error).__name__
    try:
        os.setuid(0)
    except OSError:
        return [os.getuid(), os.getgid(), os.getgroups(), refused]
"""
        uid, gid, groups, refused = run(code, {"path": "/etc/shadow"})
        assert (gid, groups, refused) == (uid, [], "PermissionError")
        assert uid > 2_000_000_000
        assert uid != run(code, {"path": "/etc/shadow"})[0]

    def test_its_folder_is_private_and_gone_afterwards(self, run: Run) -> None:
        code = """
import os, tempfile
def main():
    file = tempfile.NamedTemporaryFile(delete=False)
    return [os.getcwd(), os.stat('.').st_mode & 0o777, os.path.dirname(file.name)]
"""
        folder, mode, temporary = run(code)
        assert (mode, temporary) == (0o700, folder)
        wait_until(lambda: not Path(folder).exists(), "the folder of the call is gone")


class TestManyCalls:
    def test_eight_calls_run_at_the_same_time(self, run: Run) -> None:
        code = "import time\ndef main(n):\n    time.sleep(0.5)\n    return n * n"
        run(code, {"n": 0})
        started = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(lambda n: run(code, {"n": n}), range(8)))
        assert results == [n * n for n in range(8)]
        assert time.monotonic() - started < 3

    def test_after_many_calls_at_once_few_processes_wait_for_the_next(self) -> None:
        with CodeInterpreter() as interpreter, ThreadPoolExecutor(8) as pool:
            code = "import time\ndef main(): time.sleep(0.3)"
            calls = [pool.submit(interpreter.run, code, {}, timeout=20, on_line=lambda *_: None) for _ in range(8)]
            assert [call.result() for call in calls] == [None] * 8
            sleeper = Sleeper(interpreter)
            warm = _warm_interpreter(sleeper).pid
            interpreter.cancel_all()
            assert sleeper.failure()[0] == "canceled"
            wait_until(lambda: len(_descendants(warm)) == 6, "two supervisors with two processes each are left")

    def test_outputs_of_calls_do_not_mix(self, interpreter: CodeInterpreter) -> None:
        def call(n: int) -> list[str]:
            lines: list[str] = []
            code = "def main(n):\n    for _ in range(200): print(n)"
            interpreter.run(code, {"n": n}, timeout=20, on_line=lambda _, text: lines.append(text))
            return lines

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(call, range(8))) == [[str(n)] * 200 for n in range(8)]


class TestSuddenEnds:
    def test_cancel_all_kills_every_call(self, interpreter: CodeInterpreter) -> None:
        sleepers = [Sleeper(interpreter) for _ in range(3)]
        interpreter.cancel_all()
        message = "The code was stopped because its run is canceled."
        assert [sleeper.failure() for sleeper in sleepers] == [("canceled", message)] * 3
        assert [psutil.pid_exists(sleeper.pid) for sleeper in sleepers] == [False] * 3

    def test_close_ends_calls_processes_and_files(self) -> None:
        interpreter = CodeInterpreter()
        sleeper = Sleeper(interpreter)
        folder = interpreter._folder
        assert folder is not None
        warm = _warm_interpreter(sleeper)
        family = {warm.pid, *_descendants(warm.pid)}
        interpreter.close()
        assert sleeper.failure()[0] == "canceled"
        assert sleeper.pid in family
        assert not any(psutil.pid_exists(pid) for pid in family)
        assert not folder.exists()
        with pytest.raises(NodeError, match="canceled: The run worker is closing"):
            interpreter.run("def main(): pass", {}, timeout=20, on_line=lambda *_: None)

    def test_a_killed_interpreter_fails_the_call_and_is_replaced(self) -> None:
        with CodeInterpreter() as interpreter:
            sleeper = Sleeper(interpreter)
            _warm_interpreter(sleeper).kill()
            assert sleeper.failure() == ("code_interrupted", "The code interpreter died while the code ran.")
            wait_until(lambda: not psutil.pid_exists(sleeper.pid), "the call of the killed interpreter is gone")
            assert interpreter.run("def main(): return 1", {}, timeout=20, on_line=lambda *_: None) == 1

    def test_a_killed_supervisor_fails_its_call_only(self, interpreter: CodeInterpreter) -> None:
        first, second = Sleeper(interpreter), Sleeper(interpreter)
        os.kill(_supervisor(first.pid).pid, signal.SIGKILL)
        assert first.failure()[0] == "code_interrupted"
        wait_until(lambda: not psutil.pid_exists(first.pid), "the call of the killed supervisor is gone")
        assert psutil.pid_exists(second.pid)
        interpreter.cancel_all()
        assert second.failure()[0] == "canceled"

    def test_a_stopped_supervisor_does_not_stop_the_clock(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("definitions.sandbox.interpreter.GRACE", 0.5)  # it waits in seconds that nobody need wait
        with CodeInterpreter() as interpreter, ThreadPoolExecutor(1) as pool:
            lines: list[str] = []
            how: Any = {"timeout": 1, "on_line": lambda _, text: lines.append(text)}
            call = pool.submit(interpreter.run, SLEEPER, {"name": new_name()}, **how)
            pid = pid_of(wait_until(lambda: lines, "the code runs")[0])
            os.kill(_supervisor(pid).pid, signal.SIGSTOP)
            with pytest.raises(NodeError, match="code_timeout: The code did not end within 1 s"):
                call.result()
            assert not psutil.pid_exists(pid)
            assert interpreter.run("def main(): return 1", {}, timeout=20, on_line=lambda *_: None) == 1

    def test_nothing_outlives_a_killed_worker(self) -> None:
        program = f"""
from definitions.sandbox.interpreter import CodeInterpreter
interpreter = CodeInterpreter()
interpreter.start()
print(interpreter._folder, flush=True)
interpreter.run({SLEEPER!r}, {{"name": "outlives"}}, timeout=None, on_line=lambda _, text: print(text, flush=True))
"""
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as worker:
            assert worker.stdout is not None
            folder = Path(worker.stdout.readline().decode().strip())
            pid = pid_of(worker.stdout.readline().decode().strip())
            family = _descendants(worker.pid)
            worker.kill()
        assert pid in family
        wait_until(lambda: not any(map(psutil.pid_exists, family)), "every process of the killed worker is gone")
        assert not folder.exists()


def _supervisor(pid: int) -> psutil.Process:
    """Of the process that runs the code; between them is the first process of the call."""
    return psutil.Process(psutil.Process(psutil.Process(pid).ppid()).ppid())


def _warm_interpreter(sleeper: Sleeper) -> psutil.Process:
    warm = psutil.Process(_supervisor(sleeper.pid).ppid())
    assert any("sandbox/child.py" in word for word in warm.cmdline())
    return warm


def _descendants(pid: int) -> set[int]:
    return {process.pid for process in psutil.Process(pid).children(recursive=True)}

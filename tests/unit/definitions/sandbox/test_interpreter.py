"""Users' code in real processes: what it returns, every way it can fail, and what is left of it afterwards."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from definitions.sandbox.interpreter import CodeInterpreter
from graph_compiler.values.errors import NodeError
from tests.unit.definitions.conftest import Line, Run, failure, new_name, pids_of


class TestValues:
    def test_arguments_reach_main_by_name_and_its_value_comes_back(self, run: Run) -> None:
        code = "def main(a, *, b=2, **rest):\n    return {'sum': a + b, 'rest': rest}"
        assert run(code, {"a": 1, "c": [None, True, "ü\U0001f600\0"]}) == {
            "sum": 3,
            "rest": {"c": [None, True, "ü\U0001f600\0"]},
        }

    def test_big_integers_and_exact_floats_survive(self, run: Run) -> None:
        assert run("def main(x): return [x, 2**200, 0.1 + 0.2]", {"x": 2**70}) == [2**70, 2**200, 0.1 + 0.2]

    def test_tuples_come_back_as_lists(self, run: Run) -> None:
        assert run("def main(): return (1, (2,))") == [1, [2]]

    def test_megabytes_go_in_and_out(self, run: Run) -> None:
        text = "x" * 5_000_000
        assert run("def main(text): return text", {"text": text}) == text

    def test_dataclasses_and_standard_library_imports_work(self, run: Run) -> None:
        code = """
import sqlite3, ssl, json.tool, encodings.idna, zoneinfo, xml.etree.ElementTree
from dataclasses import asdict, dataclass
@dataclass
class Point:
    x: int
def main():
    return asdict(Point(sqlite3.connect(":memory:").execute("SELECT 7").fetchone()[0]))
"""
        assert run(code) == {"x": 7}

    def test_calls_do_not_see_one_another(self, run: Run) -> None:
        run("import json\njson.mark = 1\nopen('left', 'w').close()\ndef main(): pass")
        code = "import json, os\ndef main(): return [hasattr(json, 'mark'), os.listdir('.')]"
        assert run(code) == [False, []]

    def test_variables_are_the_calls_own(self, run: Run) -> None:
        code = "import os, subprocess\ndef main(): return subprocess.check_output(['sh', '-c', 'echo $T']).decode()"
        assert run(code, env={"T": "ö"}) == "ö\n"
        assert run("import os\ndef main(): return 'T' in os.environ") is False

    def test_a_variable_that_cannot_be_is_the_codes_error(self, run: Run) -> None:
        assert failure(run, "def main(): pass", env={"T": "a\0b"})[0] == "code_error"

    def test_each_call_draws_other_random_numbers(self, run: Run) -> None:
        code = "import random\ndef main(): return random.random()"
        assert len({run(code) for _ in range(3)}) == 3


class TestBadCode:
    def test_an_exception_tells_its_type_message_and_the_users_lines(self, run: Run) -> None:
        code = """
import json

def parse(text):
    return json.loads(text)

def main(text):
    return parse(text)
"""
        assert failure(run, code, {"text": "{"}) == (
            "code_error",
            "json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: "
            "line 1 column 2 (char 1)\n"
            "  line 8 in main: return parse(text)\n"
            "  line 5 in parse: return json.loads(text)",
        )

    def test_a_syntax_error_tells_its_line(self, run: Run) -> None:
        assert failure(run, "x = 1\ndef main(:\n    pass") == (
            "code_error",
            "SyntaxError: invalid syntax\n  line 2: def main(:",
        )

    def test_code_without_main_is_refused(self, run: Run) -> None:
        assert failure(run, "def other(): pass") == ("code_error", "The code defines no function named main.")

    def test_every_wrong_argument_is_named(self, run: Run) -> None:
        assert failure(run, "def main(a, b, c=1): pass", {"b": 1, "d": 2, "e": 3}) == (
            "code_error",
            "main needs the argument 'a', which nothing gives; main has no parameter 'd'; main has no parameter 'e'.",
        )

    def test_positional_only_parameters_are_refused(self, run: Run) -> None:
        assert failure(run, "def main(a, /): pass", {}) == (
            "code_error",
            "main has positional-only parameters, but arguments are given by name.",
        )

    def test_a_coroutine_is_refused(self, run: Run) -> None:
        kind, message = failure(run, "async def main(): pass")
        assert (kind, message) == ("code_error", "main is a coroutine; write def, not async def.")

    def test_deep_recursion_is_an_error_of_the_code(self, run: Run) -> None:
        kind, message = failure(run, "def main():\n    return main()")
        first, second = message.split("\n")
        assert (kind, first) == ("code_error", "RecursionError: maximum recursion depth exceeded")
        assert second.startswith("  line 2 in main: return main() (")

    def test_an_exception_whose_message_cannot_be_read_is_still_told(self, run: Run) -> None:
        code = "class Odd(Exception):\n    def __str__(self): raise ValueError\ndef main(): raise Odd"
        assert failure(run, code) == (
            "code_error",
            "Odd: (its message cannot be read)\n  line 3 in main: def main(): raise Odd",
        )

    def test_text_that_no_database_takes_is_escaped_in_messages(self, run: Run) -> None:
        _, message = failure(run, "def main():\n    raise ValueError('a\\0b\\ud800')")
        assert message.split("\n")[0] == "ValueError: a\\x00b\\ud800"


class TestBadValues:
    @pytest.mark.parametrize(
        ("expression", "message"),
        [
            ("{'a': [1, float('nan')]}", "result.a[1]: nan is not a JSON number"),
            ("float('-inf')", "result: -inf is not a JSON number"),
            ("[{1, 2}]", "result[0]: set is not a JSON value"),
            ("{'at': __import__('datetime').date(2024, 1, 1)}", "result.at: datetime.date is not a JSON value"),
            ("{'a': {1: 2}}", "result.a: the key 1 is not text"),
            ("bytearray(b'x')", "result: bytearray is not a JSON value"),
            ("10**5000", "result: an integer of more than 4300 digits"),
            ("(x for x in ())", "result: generator is not a JSON value"),
        ],
    )
    def test_what_is_not_json_is_named_with_its_place(self, run: Run, expression: str, message: str) -> None:
        assert failure(run, f"def main(): return {expression}") == ("bad_value", message)

    def test_a_list_that_holds_itself_is_refused(self, run: Run) -> None:
        kind, message = failure(run, "def main():\n    x = []\n    x.append(x)\n    return x")
        assert (kind, message.rpartition(": ")[2]) == ("bad_value", "nested more than 100 levels deep")

    def test_arguments_must_be_json_too(self, run: Run) -> None:
        kind, message = failure(run, "def main(x): pass", {"x": float("nan")})
        # From 3.12 on Python adds the value.
        assert (kind, message.removesuffix(": nan")) == (
            "bad_value",
            "arguments: Out of range float values are not JSON compliant",
        )

    def test_a_huge_result_is_refused(self, run: Run) -> None:
        assert failure(run, "def main(): return 'x' * 1000", output_bytes=1000) == (
            "code_output",
            "The result is 1002 bytes of JSON; 1000 are allowed.",
        )


class TestLimits:
    @pytest.mark.parametrize("timeout", [None, 1e15])
    def test_a_call_may_have_all_the_time_there_is(self, run: Run, timeout: float | None) -> None:
        assert run("def main(): return 1", timeout=timeout) == 1

    @pytest.mark.parametrize("timeout", [0, -1])
    def test_a_call_without_time_is_ended_at_once(self, run: Run, timeout: float) -> None:
        assert failure(run, "import time\ndef main(): time.sleep(600)", timeout=timeout)[0] == "code_timeout"

    def test_a_call_beyond_its_time_is_killed(self, run: Run) -> None:
        started = time.monotonic()
        assert failure(run, "def main():\n    while True: pass", timeout=0.3) == (
            "code_timeout",
            "The code did not end within 0.3 s and was stopped.",
        )
        assert time.monotonic() - started < 5

    def test_ignoring_signals_does_not_help(self, run: Run) -> None:
        code = "import signal, time\nfor n in (15, 2, 1): signal.signal(n, signal.SIG_IGN)\ndef main(): time.sleep(600)"
        assert failure(run, code, timeout=0.3)[0] == "code_timeout"

    def test_allocating_without_end_is_reported_with_the_line(self, run: Run) -> None:
        code = "def main():\n    kept = []\n    while True:\n        kept.append(bytearray(10**6))"
        assert failure(run, code, memory_bytes=64 * 2**20) == (
            "code_memory",
            "The code used all the memory that it may have.\n  line 4 in main: kept.append(bytearray(10**6))",
        )

    def test_shared_memory_is_bounded_too(self, run: Run) -> None:
        code = "import mmap\ndef main():\n    return [mmap.mmap(-1, 2**28) for _ in range(100)]"
        assert failure(run, code)[0] in ("code_error", "code_memory")

    def test_a_file_without_end_is_an_error_of_the_code(self, run: Run) -> None:
        code = "def main():\n    with open('big', 'wb') as f:\n        f.truncate(2**40)"
        assert failure(run, code)[1].startswith("OSError: [Errno 27] File too large")

    def test_exhausting_descriptors_is_an_error_of_the_code(self, run: Run) -> None:
        code = "import os\ndef main():\n    while True: os.dup(0)"
        assert failure(run, code)[1].startswith("OSError: [Errno 24] Too many open files")


class TestExits:
    def test_sys_exit_is_reported(self, run: Run) -> None:
        assert failure(run, "import sys\ndef main(): sys.exit(3)") == ("code_exit", "The code called sys.exit(3).")

    def test_os_exit_is_reported(self, run: Run) -> None:
        message = "The code's process exited with status 4 and without a result."
        assert failure(run, "import os\ndef main(): os._exit(4)") == ("code_exit", message)

    def test_a_killing_signal_is_reported(self, run: Run) -> None:
        message = "The code's process was ended by signal 9 (SIGKILL)."
        assert failure(run, "import os\ndef main(): os.kill(os.getpid(), 9)") == ("code_exit", message)

    def test_a_crash_of_the_interpreter_is_reported(self, run: Run) -> None:
        message = "The code's process was ended by signal 11 (SIGSEGV)."
        assert failure(run, "import ctypes\ndef main(): ctypes.string_at(0)") == ("code_exit", message)

    def test_code_that_closes_every_descriptor_ends_without_a_result(self, run: Run) -> None:
        kind, message = failure(run, "import os\ndef main(): os.closerange(3, 1000)")
        assert (kind, message) == ("code_exit", "The code's process exited with status 70 and without a result.")

    def test_rubbish_in_the_frames_is_refused(self, run: Run) -> None:
        code = """
import os, stat
def main():
    for fd in range(3, 50):
        try:
            os.write(fd, b"R\\0\\0\\0\\x04{{{{")
        except OSError:
            pass
"""
        message = "The code wrote into its own result; it cannot be read."
        assert failure(run, code) == ("code_exit", message)

    def test_a_fork_that_returns_gives_no_second_result(self, run: Run) -> None:
        assert run("import os\ndef main(): return 'child' if os.fork() == 0 else os.wait() and 'parent'") == "parent"


class TestProcessesLeft:
    SPAWN = """
import ctypes, os, signal, subprocess, sys, time

def linger():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)

def main(name):
    ctypes.CDLL(None).prctl(15, name.encode())  # PR_SET_NAME, which forks inherit
    if os.fork() == 0:
        linger()
    read, write = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(write, b"x")
            linger()
        os._exit(0)
    os.wait()
    os.read(read, 1)
    os.symlink("/bin/sleep", name)
    subprocess.Popen(["./" + name, "600"], start_new_session=True)
    print("spawned", flush=True)
    {end}
"""

    def test_none_survives_the_end_of_main(self, interpreter: CodeInterpreter) -> None:
        name, seen = new_name(), []
        code = self.SPAWN.format(end="time.sleep(0.2)")
        interpreter.run(code, {"name": name}, timeout=20, on_line=lambda *_: seen.extend(pids_of(name)))
        assert len(seen) == 4
        assert not any(map(psutil.pid_exists, seen))

    def test_none_survives_a_timeout(self, interpreter: CodeInterpreter) -> None:
        name, seen = new_name(), []
        code = self.SPAWN.format(end="time.sleep(600)")
        with pytest.raises(NodeError, match="code_timeout"):
            interpreter.run(code, {"name": name}, timeout=1.5, on_line=lambda *_: seen.extend(pids_of(name)))
        assert len(seen) == 4
        assert not any(map(psutil.pid_exists, seen))

    def test_a_fork_bomb_is_ended(self, run: Run, lines: list[Line]) -> None:
        name = new_name()
        code = """
import ctypes, os, time
def main(name):
    ctypes.CDLL(None).prctl(15, name.encode())
    while True:
        try:
            if os.fork() == 0:
                os.setsid()
                print(os.getpid(), flush=True)
        except OSError:
            time.sleep(0.01)
"""
        assert failure(run, code, {"name": name}, timeout=1)[0] == "code_timeout"
        assert len(lines) > 10
        assert pids_of(name) == []

    def test_other_calls_are_untouched(self, run: Run) -> None:
        with ThreadPoolExecutor(1) as pool:
            other = pool.submit(run, "import time\ndef main():\n    time.sleep(0.5)\n    return 'untouched'")
            run(self.SPAWN.format(end="pass"), {"name": new_name()})
            assert other.result() == "untouched"

"""Users' code reaches nothing of a hidden folder, no port of ours, and no memory that is not counted."""

from __future__ import annotations

import errno
import os
import platform
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from definitions.execution.context import ProcessContext
from definitions.sandbox.confinement import landlock_version
from definitions.sandbox.interpreter import CodeInterpreter
from definitions.sandbox.machine import examine
from platform_core.settings import Settings
from tests.unit.definitions.sandbox.container import run_in_container

needs_landlock = pytest.mark.skipif(landlock_version() < 4, reason="the kernel has no Landlock for files and ports")
needs_namespaces = pytest.mark.skipif(not examine().has_namespaces, reason="the kernel lets us have no namespaces")


@pytest.fixture(scope="module", params=["among temporary files", "elsewhere"])
def home(request: pytest.FixtureRequest) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=None if request.param.startswith("among") else Path.home()) as folder:
        home = Path(folder, "home")
        home.mkdir()
        for place in (home.parent, home):  # no mode is to keep code out
            place.chmod(0o777)
        (home / "secret").write_text("VICTIM")
        (home / "secret").chmod(0o666)
        yield home


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture(scope="module")
def confined(home: Path, port: int) -> Iterator[CodeInterpreter]:
    with CodeInterpreter(hidden=[home], ports=[port]) as interpreter:
        yield interpreter


def _code(body: str, names: str) -> str:
    lines = "\n".join(f"        {line}" for line in body.splitlines())
    code = f"import os, socket\ndef main({names}):\n    try:\n{lines}\n"
    return code + "    except OSError as error:\n        return type(error).__name__"


def _run(interpreter: CodeInterpreter, body: str, **arguments: Any) -> Any:
    code = _code(body, ", ".join(arguments))
    return interpreter.run(code, arguments, timeout=30, on_line=lambda *_: None)


REACHES = [
    "return open(home + '/secret').read()",
    "return os.listdir(home)",
    "return open(home + '/planted', 'w').write('x')",
    "return open('/proc/self/root' + home + '/secret').read()",
    "os.symlink(home, 'link')\nreturn open('link/secret').read()",
    "os.link(home + '/secret', 'own')\nreturn open('own').read()",
    "os.rename(home + '/secret', 'own')\nreturn open('own').read()",
    "os.truncate(home + '/secret', 0)",
    "os.chmod(home, 0o777)\nreturn os.listdir(home)",
]
REFUSED = ("PermissionError", "FileNotFoundError", "OSError")  # the last: EXDEV and EROFS


@pytest.mark.parametrize("body", REACHES)
def test_nothing_below_a_hidden_folder_can_be_reached(confined: CodeInterpreter, home: Path, body: str) -> None:
    assert _run(confined, body, home=str(home)) in REFUSED
    assert (home / "secret").read_text() == "VICTIM"
    assert [path.name for path in home.iterdir()] == ["secret"]


@needs_landlock
def test_nor_without_namespaces(home: Path) -> None:
    together = "\n".join(_code(body, "home").replace("main", f"main_{n}") for n, body in enumerate(REACHES[:-1]))
    together += f"\ndef main(home): return [globals()[f'main_{{n}}'](home) for n in range({len(REACHES) - 1})]"
    found = run_in_container(together, {"home": str(home)}, [str(home)])
    assert [result for result in found if result not in REFUSED] == []
    assert (home / "secret").read_text() == "VICTIM"


needs_a_place_to_write = pytest.mark.skipif(
    Path.home().is_relative_to(tempfile.gettempdir()) or not os.access(Path.home(), os.W_OK),
    reason="the user has no folder of its own but temporary ones",
)


@needs_a_place_to_write
def test_nothing_can_be_written_but_in_temporary_folders(confined: CodeInterpreter) -> None:
    with tempfile.TemporaryDirectory(dir=Path.home()) as folder:
        Path(folder).chmod(0o777)
        assert _run(confined, "return open(folder + '/planted', 'w').write('x')", folder=folder) in REFUSED
        assert not list(Path(folder).iterdir())


@needs_a_place_to_write
@needs_landlock
def test_nor_can_it_without_namespaces() -> None:
    with tempfile.TemporaryDirectory(dir=Path.home()) as folder, tempfile.TemporaryDirectory() as hidden:
        Path(folder).chmod(0o777)
        code = _code("open('own', 'w').write('x')\nreturn open(folder + '/planted', 'w').write('x')", "folder")
        assert run_in_container(code, {"folder": folder}, [hidden]) in REFUSED


@needs_namespaces
@pytest.mark.parametrize("place", ["/tmp", "/var/tmp", "/dev/shm"])
def test_what_a_call_leaves_in_a_temporary_folder_is_seen_by_nobody(confined: CodeInterpreter, place: str) -> None:
    plant = "open(place + '/planted', 'w').write('x')\nos.chmod(place + '/planted', 0o666)\nreturn os.listdir(place)"
    assert "planted" in _run(confined, plant, place=place)
    assert "planted" not in _run(confined, "return os.listdir(place)", place=place)
    assert not Path(place, "planted").exists()


@needs_namespaces
def test_a_temporary_folder_has_a_bound(confined: CodeInterpreter) -> None:
    fill = "import errno\nn = 0\ntry:\n    while True:\n        with open(f'/tmp/{n}', 'wb') as file:\n"
    fill += "            for _ in range(100): file.write(bytes(2**20)); n += 1\n"
    fill += "except OSError as error: return [n, errno.errorcode[error.errno]]"
    written, error = _run(confined, fill)
    assert (written < 520, error) == (True, "ENOSPC")


@needs_namespaces
def test_no_process_but_its_own_is_there(confined: CodeInterpreter) -> None:
    assert _run(confined, "return [n for n in os.listdir('/proc') if n.isdigit()]") == ["1", "2"]
    assert _run(confined, "os.kill(1, 9)\nreturn 'lives'") == "lives"


@needs_landlock
def test_the_operators_secrets_can_be_reached_by_no_code(home: Path) -> None:
    with ProcessContext(Settings(home=home / "own", secrets_folder=home)).interpreter as interpreter:
        assert _run(interpreter, "return open(place + '/secret').read()", place=str(home)) in REFUSED


@needs_landlock
def test_a_port_of_ours_cannot_be_connected_to_and_others_can(confined: CodeInterpreter, port: int) -> None:
    connect = "socket.create_connection(('127.0.0.1', port), 5).close()\nreturn 'connected'"
    assert _run(confined, connect, port=port) == "PermissionError"
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert _run(confined, connect, port=other.getsockname()[1]) == "connected"


def test_memory_that_no_limit_counts_is_refused(confined: CodeInterpreter) -> None:
    assert _run(confined, "return os.memfd_create('x')") == "PermissionError"
    shared = "import ctypes\nlibc = ctypes.CDLL(None)\nreturn libc.shmget(0, 4096, 0o1600)"
    assert _run(confined, shared) == -1


def test_ordinary_work_goes_on(confined: CodeInterpreter) -> None:
    work = (
        "import subprocess, tempfile, json.tool\n"
        "open('own', 'w').write('x'); os.rename('own', 'other')\n"
        "with tempfile.TemporaryFile() as file: file.write(b'x')\n"
        "a, b = socket.socketpair(); a.send(b'x')\n"
        "open('/dev/null', 'w').write('x')\n"
        "return [open('other').read(), b.recv(1).decode(), subprocess.check_output(['echo', 'x'], text=True)]"
    )
    assert _run(confined, work) == ["x", "x", "x\n"]


CALLS = {  # by their numbers on x86_64
    "unshare": "272, 0x10000000",
    "clone3": "435, None, 0",
    "clone": "56, 0x10000011, None, None, None, None",
    "mount": "165, b'none', b'/tmp', b'tmpfs', 0, None",
    "bpf": "321, 0, None, 0",
    "userfaultfd": "323, 0",
    "io_uring_setup": "425, 1, ctypes.create_string_buffer(120)",
    "keyctl": "250, 0, -3, 1",
    "perf_event_open": "298, ctypes.create_string_buffer(128), 0, -1, -1, 0",
    "pidfd_getfd": "438, 0, 0, 0",
    "ptrace": "101, 0, 0, 0, 0",
}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers are of another machine")
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_call_to_the_kernel_that_no_node_needs_is_refused(confined: CodeInterpreter, call: str) -> None:
    code = f"import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nreturn [libc.syscall({call}), ctypes.get_errno()]"
    result, number = _run(confined, code)
    assert (result, number) in ((-1, errno.EPERM), (-1, errno.ENOSYS))

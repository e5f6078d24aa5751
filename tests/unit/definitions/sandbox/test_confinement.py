"""Users' code reaches nothing of a hidden folder, no port of ours, and no memory that is not counted."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from definitions.execution.context import ProcessContext
from definitions.sandbox.confinement import landlock_version, shortcomings
from definitions.sandbox.interpreter import CodeInterpreter
from platform_core.settings import Settings

needs_landlock = pytest.mark.skipif(landlock_version() < 4, reason="the kernel has no Landlock for files and ports")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    for folder in (*home.parents, home):  # only the kernel's new rules are to keep code out
        if folder.stat().st_uid == home.stat().st_uid and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    (home / "secret").write_text("VICTIM")
    (home / "secret").chmod(0o666)
    return home


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture(scope="module")
def confined(home: Path, port: int) -> Iterator[CodeInterpreter]:
    with CodeInterpreter(hidden=[home], ports=[port]) as interpreter:
        yield interpreter


def _run(interpreter: CodeInterpreter, body: str, **arguments: Any) -> Any:
    names = ", ".join(arguments)
    lines = "\n".join(f"        {line}" for line in body.splitlines())
    code = f"import os, socket\ndef main({names}):\n    try:\n{lines}\n"
    code += "    except OSError as error:\n        return type(error).__name__"
    return interpreter.run(code, arguments, timeout=30, on_line=lambda *_: None)


@needs_landlock
@pytest.mark.parametrize(
    "body",
    [
        "return open(home + '/secret').read()",
        "return os.listdir(home)",
        "return open(home + '/planted', 'w').write('x')",
        "return open('/proc/self/root' + home + '/secret').read()",
        "os.symlink(home, 'link')\nreturn open('link/secret').read()",
        "os.link(home + '/secret', 'own')\nreturn open('own').read()",
        "os.rename(home + '/secret', 'own')\nreturn open('own').read()",
        "os.truncate(home + '/secret', 0)",
        "return open('/dev/shm/headrace-test', 'w').write('x')",
    ],
)
def test_nothing_below_a_hidden_folder_can_be_reached(confined: CodeInterpreter, home: Path, body: str) -> None:
    assert _run(confined, body, home=str(home)) in ("PermissionError", "OSError")  # the latter: EXDEV
    assert (home / "secret").read_text() == "VICTIM"


@needs_landlock
def test_the_operators_secrets_can_be_reached_by_no_code(home: Path) -> None:
    with ProcessContext(Settings(home=home / "own", secrets_folder=home)).interpreter as interpreter:
        assert _run(interpreter, "return open(place + '/secret').read()", place=str(home)) == "PermissionError"


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


@pytest.mark.parametrize(("version", "said"), [(0, "no Landlock"), (3, "knows no ports"), (7, None)])
def test_what_the_kernel_cannot_do_is_said(version: int, said: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("definitions.sandbox.confinement.landlock_version", lambda: version)
    found = shortcomings()
    assert found is None if said is None else said in (found or "")

"""Forking services from a template, with a small one that loads nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from headrace_cli.up.template import Request, Template
from tests.waiting import wait_until

SMALL = """
import os, socket, sys, threading
from headrace_cli.commands.up import template
{before}
kept = int(sys.argv[1])
request = template.serve(socket.socket(fileno=int(os.environ[template.VARIABLE])), [kept])
if request is not None:
    try:
        os.fstat(kept)
        state = "open"
    except OSError:
        state = "closed"
    print(sys.argv[1:], os.environ["COLOUR"], len(os.environ), state, os.getpgid(0) == os.getpid(), flush=True)
    sys.exit(7)
"""


@dataclass
class Served:
    """A template, its process and a descriptor that it inherited."""

    template: Template
    process: subprocess.Popen[bytes]
    descriptor: int

    def run(self, *arguments: str, keep: bool = False) -> tuple[str, int]:
        """What a fork printed, and its exit code."""
        read_end, write_end = os.pipe()
        kept = [self.descriptor] if keep else []
        pid = self.template.fork(Request(arguments, {"COLOUR": "blue"}, kept), write_end)
        os.close(write_end)
        assert pid is not None
        with os.fdopen(read_end) as output:
            text = output.read()
        return text, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def start(before: str = "") -> Served:
    template = Template()
    descriptor = os.open(os.devnull, os.O_RDONLY)
    command = [sys.executable, "-c", SMALL.format(before=before), str(descriptor)]
    environment = {**os.environ, "HEADRACE_TEMPLATE_FD": str(template.fd)}
    process = subprocess.Popen(
        command, env=environment, pass_fds=[template.fd, descriptor], stderr=subprocess.PIPE, start_new_session=True
    )
    template.give()
    return Served(template, process, descriptor)


@pytest.fixture
def served(_subreaper: None) -> Iterator[Served]:
    served = start()
    wait_until(served.template.is_ready, "the template is ready")
    yield served
    served.template.retire()
    served.process.communicate(timeout=10)
    os.close(served.descriptor)


def test_fork_is_our_child_with_the_arguments_environment_and_output_it_was_given(served: Served) -> None:
    text, code = served.run("daemon", "--x")
    assert (text, code) == ("['daemon', '--x'] blue 1 closed True\n", 7)


def test_fork_keeps_the_descriptors_it_needs(served: Served) -> None:
    assert served.run("api", keep=True)[0] == "['api'] blue 1 open True\n"


def test_template_forks_again_after_a_fork_has_ended(served: Served) -> None:
    assert [served.run(name)[1] for name in ("a", "b", "c")] == [7, 7, 7]


def test_template_ends_with_its_supervisor(served: Served) -> None:
    served.template.retire()
    assert served.process.wait(10) == 0


def test_dead_template_is_of_no_use(served: Served) -> None:
    served.process.kill()
    served.process.wait(10)
    for _ in range(2):
        assert served.template.fork(Request(["api"], {}, []), 1) is None


def test_template_with_a_thread_refuses_to_serve() -> None:
    served = start("threading.Thread(target=threading.Event().wait, daemon=True).start()")
    assert served.process.wait(10) == 1
    assert not served.template.is_ready()
    assert served.template.fork(Request(["api"], {}, []), 1) is None
    assert served.process.stderr is not None
    assert b"has started a thread" in served.process.stderr.read()
    served.process.stderr.close()
    served.template.retire()
    os.close(served.descriptor)


def test_what_is_preloaded_starts_no_thread_and_opens_no_socket() -> None:
    code = """
import os, pathlib
from headrace_cli.serve.preload import preload
preload()
descriptors = [os.readlink(path) for path in pathlib.Path("/proc/self/fd").iterdir() if path.is_symlink()]
print(len(os.listdir("/proc/self/task")), [d for d in descriptors if d.startswith(("socket", "anon_inode"))])
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "1 []\n"

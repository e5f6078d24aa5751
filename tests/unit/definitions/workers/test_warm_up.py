"""Warming up leaves nothing that a fork must not copy."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import os, threading
from definitions.workers.warm_up import warm_up
def sockets():
    links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
    return {os.readlink(link) for link in links if os.path.exists(link) and "socket" in os.readlink(link)}
before = sockets()
warm_up()
print(threading.active_count(), sorted(sockets() - before))
"""


def test_warm_up_leaves_neither_a_thread_nor_a_connection() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "1 []"

"""A process that has loaded the code of all services and forks them: ready in milliseconds, most memory shared.

The supervisor becomes the parent of what the template forks (a child subreaper, prctl(2)). Without a template a
service is a process that loads its own code.
"""

from __future__ import annotations

import gc
import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from definitions.sandbox.process import set_name

VARIABLE = "HEADRACE_TEMPLATE_FD"
"""Environment variable that names the template's end of the socket."""

_LARGEST = 512 * 1024
_ANSWER_SECONDS = 10.0
_READY = b"ready"


@dataclass(frozen=True)
class Request:
    """What a fork is to become: a `headrace` command with its environment and the descriptors it keeps."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    kept: Sequence[int]


class Template:
    """The supervisor's side. Give `fd` to the template process and tell it by `VARIABLE`."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (self._ours, self._theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LARGEST)
        self._ours.settimeout(_ANSWER_SECONDS)
        self._usable = False

    @property
    def fd(self) -> int:
        return self._theirs.fileno()

    def give(self) -> None:
        """The process has its end now; with only one holder of it, its death is noticed."""
        self._theirs.close()

    def is_ready(self) -> bool:
        """Whether the process has said that its code is loaded."""
        if not self._usable:
            try:
                self._usable = self._ours.recv(16, socket.MSG_DONTWAIT) == _READY
            except OSError:
                return False
        return self._usable

    def fork(self, request: Request, output: int) -> int | None:
        """The id of a new process with stdout and stderr at `output`; None if the template is of no use (any more).

        The process is a child of this one, which has to be a child subreaper.
        """
        if not self._usable:
            return None
        try:
            socket.send_fds(self._ours, [json.dumps(asdict(request)).encode()], [output])
            return int(self._ours.recv(32))
        except (OSError, ValueError):
            self.retire()
            return None

    def retire(self) -> None:
        """Never use it again: a late answer must not be taken for another's."""
        self._usable = False
        self._ours.close()
        self._theirs.close()


def serve(requests: socket.socket, inherited: Sequence[int]) -> Request | None:
    """Fork a process for each request until the supervisor is gone.

    Returns None at the end, and in each forked process the request that it is to fulfil by going on. `inherited` are
    the descriptors of which a fork closes those it does not keep. Refuses (RuntimeError) to fork with threads.
    """
    gc.collect()
    gc.freeze()
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        raise RuntimeError("The loaded code has started a thread; a fork of it would be broken.")
    requests.send(_READY)
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, _LARGEST, 1)
        if not message:
            return None
        request = Request(**json.loads(message))
        pid = _fork_orphan()
        if pid == 0:
            requests.close()
            _become(request, descriptors[0], inherited)
            return request
        os.close(descriptors[0])
        requests.send(str(pid).encode())


def _fork_orphan() -> int:
    """Fork a process whose parent is not this one but its subreaper; returns its id, and 0 in it."""
    read_end, write_end = os.pipe()
    middle = os.fork()
    if middle == 0:
        os.close(read_end)
        pid = os.fork()
        if pid == 0:
            os.close(write_end)
            return 0
        os.write(write_end, str(pid).encode())
        os._exit(0)
    os.close(write_end)
    os.waitpid(middle, 0)
    with os.fdopen(read_end) as answer:
        return int(answer.read())


def _become(request: Request, output: int, inherited: Sequence[int]) -> None:
    os.setsid()
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    for descriptor in set(inherited) - set(request.kept):
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request.environment)
    sys.argv[1:] = request.arguments
    set_name(f"headrace {request.arguments[0]}")

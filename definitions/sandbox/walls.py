"""Which walls stand around users' code on this machine: whom it runs as, and what the kernel lets us have besides.

Standard library only: the warm interpreter finds them once, and they stand around each of its calls.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from definitions.sandbox import confinement, namespaces, process

FIRST_USER = 2_000_000_000  # above all accounts; plus a process id, so that no two calls share a user
NOBODY = 65534


@dataclass(frozen=True)
class Walls:
    """`user` is `FIRST_USER` (a user for each call), nobody, or None: ourselves."""

    user: int | None
    has_namespaces: bool
    places: namespaces.Places

    @property
    def counts_processes(self) -> bool:
        """Whether the kernel counts the processes of a call apart from all others of its user."""
        return self.user == FIRST_USER or (self.user is None and self.has_namespaces)


def find(hidden: Sequence[str] = (), readable: Sequence[str] = ()) -> Walls:
    """The walls that can be had here, tried out in forks; needs a single thread.

    Code sees nothing below the `hidden` paths but to read what is `readable`, and where Python and programs are.
    """
    user = _user_for_code()
    programs = [path for path in os.environ.get("PATH", "").split(":") if path.startswith("/")]
    needed = {os.path.realpath(path) for path in (sys.prefix, sys.base_prefix, *programs, *readable)}
    places = namespaces.Places(tuple({os.path.realpath(path) for path in hidden}), tuple(sorted(needed)))
    return Walls(user, _succeeds(partial(_try_namespaces, places, as_ourselves=user is None)), places)


def put_up(walls: Walls, ports: Sequence[int]) -> None:
    """Set in this process what each call inherits; `ports` of ours cannot be connected to, where the kernel can."""
    process.renounce_privileges()
    if walls.has_namespaces:
        confinement.refuse_ports(ports)
    elif hidden := walls.places.hidden:
        private = [str(path) for path in namespaces.PRIVATE if path != namespaces.SHARED_MEMORY]
        needed = [path for path in walls.places.needed if any(path.startswith(f"{place}/") for place in hidden)]
        confinement.refuse_paths({*hidden, str(namespaces.SHARED_MEMORY)}, needed, private, ports)


def _user_for_code() -> int | None:
    users = (user for user in (FIRST_USER, NOBODY) if _succeeds(partial(process.become_user, user)))
    return next(users, None)


def _try_namespaces(places: namespaces.Places, *, as_ourselves: bool) -> None:
    namespaces.unshare_processes(as_ourselves=as_ourselves)
    if not _succeeds(partial(namespaces.enter, places, network=False)):
        raise OSError("the kernel refuses mounts of its own")


def _succeeds(attempt: Callable[[], None]) -> bool:
    """Whether a fork of this process can do it."""
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(Exception):
            attempt()
            os._exit(0)
        os._exit(1)
    return os.waitpid(pid, 0)[1] == 0

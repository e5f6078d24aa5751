"""What Landlock refuses to users' code: files, ports of ours, abstract sockets and signals of processes outside.

Kernel 5.13, ports from 6.7, signals from 6.12. Set once in the warm interpreter's server and inherited by every call,
so that it costs a call nothing. Standard library only. The numbers are those of landlock(7).
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

_libc = ctypes.CDLL(None, use_errno=True)
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_PATH_BENEATH, _NET_PORT = 1, 2
_FILE_RIGHTS = 0b1100_0000_0000_0111
"""Execute, write, read, truncate, ioctl: the only rights that a rule on a file may have."""
_READ_RIGHTS = 0b1101
"""Execute, read a file, list a folder."""
_DEVICE_RIGHTS = 0b1000_0000_0000_1111
"""To read, and to write to what is there."""
_CONNECT = 0b10
_SCOPES = 0b11
"""No abstract sockets and no signals of processes outside."""
FILES, PORTS, SIGNALS = 1, 4, 6
"""The version of Landlock from which it can refuse these."""


def landlock_version() -> int:
    """The kernel's version of Landlock; 0 without it."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, 0, 1)))


def refuse_ports(ports: Collection[int]) -> None:
    """Refuse this process and its descendants to connect to `ports`, and signals of processes outside, if it can be.

    Needs `renounce_privileges` before, or root. It leaves mounts to be made.
    """
    with _ruleset(0, ports):
        pass


def refuse_paths(
    hidden: Collection[str], needed: Collection[str], writable: Collection[str], ports: Collection[int]
) -> None:
    """The same, and refuse everything in `hidden` but to read what is `needed`; to write outside `writable`, too.

    What they may reach else is what is there now beside the hidden paths: later neighbours of those are hidden, too.
    """
    version = landlock_version()
    rights = (1 << {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)) - 1
    with _ruleset(rights, ports) as allow:
        for path in _beside("/", {os.path.realpath(path) for path in hidden}):
            allow(path, rights & (_DEVICE_RIGHTS if f"{path}/".startswith("/dev/") else _READ_RIGHTS))
            if any(path == place or path.startswith(place + "/") for place in writable):
                allow(path, rights)
        for path in needed:
            allow(path, rights & _READ_RIGHTS)
        for path in writable:
            if not any(place == path or place.startswith(path + "/") for place in hidden):
                allow(path, rights)


@contextmanager
def _ruleset(rights: int, ports: Collection[int]) -> Iterator[Callable[[str, int], None]]:
    """Rules for these rights on files and for all ports but ours, which bind this process from the block's end on."""
    version = landlock_version()
    network = _CONNECT if ports and version >= PORTS else 0
    scopes = _SCOPES if version >= SIGNALS else 0
    if not version or not rights | network | scopes:
        yield lambda path, rights: None
        return
    size = 8 if version < PORTS else 16 if version < SIGNALS else 24
    ruleset = _checked(_libc.syscall(_CREATE_RULESET, struct.pack("QQQ", rights, network, scopes), size, 0))
    try:
        yield lambda path, rights: _allow_below(ruleset, path, rights)
        for port in range(65_536) if network else ():
            if port not in ports:
                _checked(_libc.syscall(_ADD_RULE, ruleset, _NET_PORT, struct.pack("QQ", network, port), 0))
        _checked(_libc.syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def _beside(top: str, hidden: Collection[str]) -> Iterator[str]:
    """The paths that together are everything below `top` but the hidden ones; links lead to where rules are anyway."""
    try:
        entries = list(os.scandir(top))
    except OSError:  # not ours to list, so what is in there stays hidden
        return
    for entry in entries:
        if entry.path in hidden or entry.is_symlink():
            continue
        if any(path.startswith(entry.path + "/") for path in hidden):
            yield from _beside(entry.path, hidden)
        else:
            yield entry.path


def _allow_below(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:  # gone meanwhile, or not ours to reach
        return
    try:
        allowed = rights if os.path.isdir(path) else rights & _FILE_RIGHTS
        rule = struct.pack("=Qi", allowed, descriptor)
        _libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)  # pipes and sockets take none, and need none
    finally:
        os.close(descriptor)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(result)

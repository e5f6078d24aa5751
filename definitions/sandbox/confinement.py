"""What the kernel refuses to users' code: the files of our home, ports of ours, and memory that no limit counts.

Landlock (kernel 5.13, ports from 6.7) and a seccomp filter, set once in the warm interpreter's server and inherited by
every call, so that they cost a call nothing. Standard library only. The numbers are those of landlock(7), seccomp(2).
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Collection, Iterator
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_PATH_BENEATH, _NET_PORT = 1, 2
_FILE_RIGHTS = 0b1100_0000_0000_0111
"""Execute, write, read, truncate, ioctl: the only rights that a rule on a file may have."""
_READ_RIGHTS = 0b1101
"""Execute, read a file, list a folder."""
_CONNECT = 0b10
_SCOPES = 0b11
"""No abstract sockets and no signals of processes outside."""
_REFUSED = {
    "x86_64": (0xC000003E, {"shmget": 29, "ptrace": 101, "readv": 310, "writev": 311, "memfd": 319, "socket": 41}),
    "aarch64": (0xC00000B7, {"shmget": 194, "ptrace": 117, "readv": 270, "writev": 271, "memfd": 279, "socket": 198}),
}
"""By machine: the kernel's name of it, and the numbers of system calls."""
_REFUSED_EVERYWHERE = {"io_uring": 425, "pidfd_getfd": 438, "memfd_secret": 447}
_SET_SECCOMP, _FILTER = 22, 2
_EPERM, _ENOSYS = 0x00050001, 0x00050026
_ALLOW = 0x7FFF0000
_UNIX = 1
_FIRST_X32_CALL = 0x40000000


def landlock_version() -> int:
    """The kernel's version of Landlock; 0 without it."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, 0, 1)))


def shortcomings() -> str | None:
    """What of this the kernel cannot do here, as a sentence; None if it can all."""
    version = landlock_version()
    if not version:
        said = "the kernel has no Landlock, so only users and modes keep code nodes from files and ports of ours"
        return f"{said} (Linux 5.13, and 6.7 for ports)"
    if version < 4:
        return "the kernel's Landlock knows no ports, so code nodes reach Dagster's UI (Linux 6.7)"
    if platform.machine() not in _REFUSED:
        return "system calls of this machine's kind are not filtered, so memory of code nodes is not all counted"
    return None


def refuse_paths(hidden: Collection[Path], ports: Collection[int]) -> bool:
    """Refuse this process and its descendants everything in `hidden` and, from Landlock 4 on, to connect to `ports`.

    What they may reach else is what is there now beside the hidden paths: later neighbours of those are hidden, too.
    Whether the kernel can do that; raises OSError if it fails at it. Needs `renounce_privileges` before, or root.
    """
    version = landlock_version()
    if not version:
        return False
    rights = (1 << {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)) - 1
    network = _CONNECT if ports and version >= 4 else 0
    attributes = struct.pack("QQQ", rights, network, _SCOPES if version >= 6 else 0)
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = _checked(_libc.syscall(_CREATE_RULESET, attributes, size, 0))
    try:
        places = {os.path.realpath(path) for path in hidden}
        for path in _beside("/", places):
            _allow_below(ruleset, path, rights)
        for path in _needed(places):
            _allow_below(ruleset, path, rights & _READ_RIGHTS)
        for port in range(65_536) if network else ():
            if port not in ports:
                _checked(_libc.syscall(_ADD_RULE, ruleset, _NET_PORT, struct.pack("QQ", network, port), 0))
        _checked(_libc.syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)
    return True


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


def _needed(hidden: Collection[str]) -> Iterator[str]:
    """Where Python itself is, if that is in a hidden place."""
    import sys

    for path in {os.path.realpath(place) for place in (sys.prefix, sys.base_prefix)}:
        if any(path.startswith(place + "/") for place in hidden):
            yield path


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


def refuse_calls(*, unix_sockets: bool) -> bool:
    """Refuse system calls for memory that no limit counts and for others' memory, and sockets of unix if asked to.

    Whether this machine's calls are known here. Needs `renounce_privileges` before, or root.
    """
    known = _REFUSED.get(platform.machine())
    if known is None:
        return False
    architecture, numbers = known
    refused = [number for name, number in numbers.items() if name != "socket"] + list(_REFUSED_EVERYWHERE.values())
    code = [_load(4), _jump(0x15, architecture, 1, 0), _return(_ENOSYS), _load(0)]
    code += [_jump(0x35, _FIRST_X32_CALL, 0, 1), _return(_ENOSYS)]
    for number in refused:
        code += [_jump(0x15, number, 0, 1), _return(_EPERM)]
    if unix_sockets:
        code += [_jump(0x15, numbers["socket"], 0, 3), _load(16), _jump(0x15, _UNIX, 0, 1), _return(_EPERM)]
    code.append(_return(_ALLOW))
    content = ctypes.create_string_buffer(b"".join(code))
    program = struct.pack("HxxxxxxP", len(code), ctypes.addressof(content))
    _checked(_libc.prctl(_SET_SECCOMP, _FILTER, program, 0, 0))
    return True


def _load(offset: int) -> bytes:
    return struct.pack("HBBI", 0x20, 0, 0, offset)


def _jump(condition: int, value: int, true: int, false: int) -> bytes:
    return struct.pack("HBBI", condition, true, false, value)


def _return(value: int) -> bytes:
    return struct.pack("HBBI", 0x06, 0, 0, value)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(result)

"""Namespaces of one call: processes, mounts, IPC and names of its own, and a network with nothing in it if asked for.

System calls by ctypes, since `os.unshare` came with Python 3.12 and nothing else of this is in the standard library.
Numbers and flags are those of unshare(2), mount(2), mount_setattr(2), capset(2), netdevice(7).
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from definitions.sandbox import process

_libc = ctypes.CDLL(None, use_errno=True)
_MOUNTS, _NAMES, _IPC, _USERS, _PROCESSES, _NETWORK = (
    0x00020000,
    0x04000000,
    0x08000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
_NOSUID, _NODEV, _NOEXEC, _BIND, _RECURSIVE, _PRIVATE = 2, 4, 8, 1 << 12, 1 << 14, 1 << 18
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE = 442, -100, 0x8000
_CAPABILITY_VERSION = 0x20080522
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 1

TEMPORARY = Path("/tmp")  # noqa: S108  a mount of the call's own
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  likewise; without namespaces its files are memory that nothing counts
PRIVATE = {
    TEMPORARY: "size=512m,nr_inodes=65536,mode=1777",
    Path("/var/tmp"): "size=64m,nr_inodes=4096,mode=1777",  # noqa: S108  likewise
    SHARED_MEMORY: "size=64m,nr_inodes=4096,mode=1777",
}
"""The only places that a call may write to, each an empty file system in memory that ends with the call."""
_LOCKED = "size=64k,nr_inodes=64,mode={mode}"


@dataclass(frozen=True)
class Places:
    """What of the machine's files a call is not to see, and what in there or in a private place it needs to read."""

    hidden: tuple[str, ...]
    needed: tuple[str, ...]


def unshare_processes(*, as_ourselves: bool) -> None:
    """Have the next fork of this process be the first of a new process namespace; needs a single thread.

    `as_ourselves`: by a user namespace that knows this process's user alone, for want of privileges. Raises OSError.
    """
    user, group = os.geteuid(), os.getegid()
    _checked(_libc.unshare(_PROCESSES | (_USERS if as_ourselves else 0)))
    if as_ourselves:
        with process.dumpable():  # else the kernel keeps these files from us
            Path("/proc/self/setgroups").write_text("deny", "ascii")
            Path("/proc/self/uid_map").write_text(f"{user} {user} 1", "ascii")
            Path("/proc/self/gid_map").write_text(f"{group} {group} 1", "ascii")


def enter(places: Places, *, network: bool) -> None:
    """Give this process mounts, IPC, names and, with `network`, a loopback of its own. Raises OSError.

    Everything is read-only but what is `PRIVATE`; nothing in `places.hidden` is there. Call it as the first process of
    a process namespace, which alone it then sees in /proc.
    """
    _checked(_libc.unshare(_MOUNTS | _IPC | _NAMES | (_NETWORK if network else 0)))
    if network:
        _raise_loopback()
    _mount(None, "/", None, _RECURSIVE | _PRIVATE)
    opened = {path: os.open(path, os.O_PATH | os.O_CLOEXEC) for path in places.needed if os.path.exists(path)}
    private = [str(path) for path in PRIVATE if path.is_dir()]
    for place in places.hidden:
        if not _is_below(place, private) and os.path.isdir(place):
            below = [path for path in opened if _is_below(path, [place])]
            _cover(place, _LOCKED.format(mode=111 if below else 0), {path: opened[path] for path in below})
    _mount("proc", "/proc", "proc", _NOSUID | _NODEV | _NOEXEC)
    _make_read_only()
    for place in private:
        below = [path for path in opened if _is_below(path, [place])]
        _cover(place, PRIVATE[Path(place)], {path: opened[path] for path in below})
    for descriptor in opened.values():
        os.close(descriptor)


def reopen(descriptors: Collection[int]) -> None:
    """Let descriptors of folders mean the same folders in the mounts of this process."""
    for descriptor in descriptors:
        again = os.open(os.readlink(f"/proc/self/fd/{descriptor}"), os.O_PATH | os.O_DIRECTORY)
        os.dup2(again, descriptor)
        os.close(again)


def drop_capabilities() -> None:
    """Give up what the user namespace gave."""
    header = ctypes.create_string_buffer(struct.pack("Ii", _CAPABILITY_VERSION, 0))
    _checked(_libc.capset(header, ctypes.create_string_buffer(24)))


def _cover(place: str, options: str, needed: dict[str, int]) -> None:
    """An empty file system over the place, with the needed folders in it."""
    _mount("tmpfs", place, "tmpfs", _NOSUID | _NODEV, options)
    for path, descriptor in sorted(needed.items()):
        if not os.path.isdir(path):
            os.makedirs(path)
            _mount(f"/proc/self/fd/{descriptor}", path, None, _BIND | _RECURSIVE)


def _make_read_only() -> None:
    attributes = ctypes.create_string_buffer(struct.pack("4Q", 1 | _NOSUID, 0, 0, 0))
    _checked(_libc.syscall(_MOUNT_SETATTR, _AT_FDCWD, b"/", _AT_RECURSIVE, attributes, 32))


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as anything:
        request = struct.pack("16sh14x", b"lo", 0)
        name, flags = struct.unpack("16sh14x", fcntl.ioctl(anything, _GET_FLAGS, request))
        fcntl.ioctl(anything, _SET_FLAGS, struct.pack("16sh14x", name, flags | _UP))


def _is_below(path: str, places: Sequence[str]) -> bool:
    return any(path == place or path.startswith(place + "/") for place in places)


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    source_, kind_, options_ = (None if text is None else os.fsencode(text) for text in (source, kind, options))
    _checked(_libc.mount(source_, os.fsencode(target), kind_, ctypes.c_ulong(flags), options_))


def _checked(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))

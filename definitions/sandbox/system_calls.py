"""Which system calls users' code may make: a seccomp filter, set in each call's processes before its code comes.

Standard library only. The numbers are those of the kernel's tables, the rest is seccomp(2) and bpf's classic form.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Iterator, Sequence

_libc = ctypes.CDLL(None, use_errno=True)
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_NUMBERS = {
    # Memory that no limit counts, others' memory
    "shmget": (29, 194),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "memfd_create": (319, 279),
    "kcmp": (312, 272),
    "userfaultfd": (323, 282),
    # Namespaces and mounts
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_by_handle_at": (304, 265),
    "quotactl": (179, 60),
    # The kernel itself
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "syslog": (103, 116),
    # Keys, which outlive a call
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
}
"""By name: the numbers on x86_64 and on aarch64."""
_SAME_EVERYWHERE = {
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "pidfd_getfd": 438,
    "mount_setattr": 442,
    "quotactl_fd": 443,
    "memfd_secret": 447,
}
_SOCKET, _CLONE = (41, 198), (56, 220)
_CLONE3 = 435
_NEW_NAMESPACES = 0x7E02_0000
"""The flags of clone(2) that make namespaces."""
_SET_SECCOMP, _FILTER = 22, 2
_EPERM, _EACCES, _ENOSYS, _ALLOW = 0x0005_0001, 0x0005_000D, 0x0005_0026, 0x7FFF_0000
_UNIX = 1
_FIRST_X32_CALL = 0x4000_0000
_EQUAL, _AT_LEAST, _ANY_BIT = 0x15, 0x35, 0x45


def are_known() -> bool:
    """Whether this machine's calls are known here; else none are refused."""
    return platform.machine() in _ARCHITECTURES


def refuse(*, unix_sockets: bool) -> None:
    """Refuse this process and its descendants what no node needs, and sockets of unix if asked to.

    Needs `renounce_privileges` before, or root.
    """
    if not are_known():
        return
    code = [*_beginning()]
    for number in (*(_own(numbers) for numbers in _NUMBERS.values()), *_SAME_EVERYWHERE.values()):
        code += [_jump(_EQUAL, number, 0, 1), _return(_EPERM)]
    code += [_jump(_EQUAL, _CLONE3, 0, 1), _return(_ENOSYS)]  # its flags cannot be seen; libc then takes clone
    code += [_jump(_EQUAL, _own(_CLONE), 0, 3), _load(16), _jump(_ANY_BIT, _NEW_NAMESPACES, 0, 1), _return(_EPERM)]
    code.append(_return(_ALLOW))
    if unix_sockets:
        code[-1:] = [_jump(_EQUAL, _own(_SOCKET), 0, 3), _load(16), _jump(_EQUAL, _UNIX, 0, 1), _return(_EPERM)]
        code.append(_return(_ALLOW))
    _set(code)


def refuse_network() -> bool:
    """Refuse this process and its descendants sockets of all kinds but unix. Whether that can be done here."""
    if not are_known():
        return False
    code = [*_beginning(), _jump(_EQUAL, _own(_SOCKET), 0, 3), _load(16), _jump(_EQUAL, _UNIX, 1, 0)]
    _set([*code, _return(_EACCES), _return(_ALLOW)])
    return True


def _own(numbers: tuple[int, int]) -> int:
    return numbers[list(_ARCHITECTURES).index(platform.machine())]


def _beginning() -> Iterator[bytes]:
    """Refuse the calls of other architectures, which have other numbers; leave the call's number loaded."""
    yield from (_load(4), _jump(_EQUAL, _ARCHITECTURES[platform.machine()], 1, 0), _return(_ENOSYS), _load(0))
    yield from (_jump(_AT_LEAST, _FIRST_X32_CALL, 0, 1), _return(_ENOSYS))


def _set(code: Sequence[bytes]) -> None:
    content = ctypes.create_string_buffer(b"".join(code))
    program = struct.pack("HxxxxxxP", len(code), ctypes.addressof(content))
    if _libc.prctl(_SET_SECCOMP, _FILTER, program, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _load(offset: int) -> bytes:
    return struct.pack("HBBI", 0x20, 0, 0, offset)


def _jump(condition: int, value: int, true: int, false: int) -> bytes:
    return struct.pack("HBBI", condition, true, false, value)


def _return(value: int) -> bytes:
    return struct.pack("HBBI", 0x06, 0, 0, value)

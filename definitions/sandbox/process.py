"""What the kernel does for our processes: protection, subreaping, death with a parent, ends of whole families.

Standard library only: the interpreter of users' code loads it too.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Collection, Iterator
from pathlib import Path

_SET_PDEATHSIG, _SET_DUMPABLE, _SET_NAME, _SET_CHILD_SUBREAPER, _SET_NO_NEW_PRIVS = 1, 4, 15, 36, 38
_LAST_SECONDS = 5.0
_libc = ctypes.CDLL(None, use_errno=True)


def age() -> float:
    """Seconds since this process was made, by the kernel's clock."""
    after_name = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(after_name[19]) / os.sysconf("SC_CLK_TCK")


def protect_process() -> None:
    """Close this process's memory, environment and descriptors to other processes of the same user.

    `PR_SET_DUMPABLE` 0 makes /proc/<pid>/{environ,mem,fd,...} root's and refuses ptrace; no core is written.
    It is inherited by fork and lost by exec.
    """
    _prctl(_SET_DUMPABLE, 0)


@contextlib.contextmanager
def dumpable() -> Iterator[None]:
    """Open this protected process to its own user for a moment, as the kernel demands of some files in /proc/self."""
    _prctl(_SET_DUMPABLE, 1)
    try:
        yield
    finally:
        _prctl(_SET_DUMPABLE, 0)


def set_name(name: str) -> None:
    """The name in ps and top; the kernel cuts it to 15 bytes. A protected process may not write /proc/self/comm."""
    if _libc.prctl(_SET_NAME, ctypes.c_char_p(name.encode()), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_NAME) was refused")


def adopt_orphans() -> None:
    """Make this process the parent of every descendant whose own parent dies."""
    _prctl(_SET_CHILD_SUBREAPER, 1)


def renounce_privileges() -> None:
    """From here on no program started by this process gains rights by its set-user-id bit."""
    _prctl(_SET_NO_NEW_PRIVS, 1)


def step_back(niceness: int = 0) -> None:
    """Let other processes go first, by `niceness` more than until now.

    Where the kernel shares processors between sessions first (sched(7), autogroup), niceness counts only inside one;
    so the session gets it, too. A kernel without that, or one that has it changed too often, leaves the session as it
    is.
    """
    value = os.nice(niceness)
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(value))


def die_with_parent(how: signal.Signals) -> None:
    """Have the kernel send `how` to this process when its parent dies. A change of user clears it.

    Only sound where the parent has one thread: the kernel means the death of the thread that forked.
    """
    parent = os.getppid()
    _prctl(_SET_PDEATHSIG, how)
    if os.getppid() != parent:
        os.kill(os.getpid(), how)


def become_user(user: int) -> None:
    """Give up root for `user`, its group of the same number and no other groups. Raises OSError if refused."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def close_all_but(kept: Collection[int]) -> None:
    """Close every descriptor of this process except the kept ones."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in kept:
            with contextlib.suppress(OSError):
                os.close(int(name))


def send_to_child(pid: int, number: signal.Signals) -> None:
    """Send a signal to a child of this process, unless it was reaped: its id may be any other process's by now.

    Only sound where no other thread reaps.
    """
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)  # it stays as it is, also if it has ended
        os.kill(pid, number)


def end_children(user: int | None = None, spare: Collection[int] = ()) -> None:
    """Kill and reap every descendant of this process except `spare` and what is below those.

    Expects `adopt_orphans` before. `user` is one that runs nothing else: its processes are killed in one call,
    which no fork bomb can outrun. Gives up after five seconds, on processes that even SIGKILL does not end.
    """
    deadline = time.monotonic() + _LAST_SECONDS
    while _has_children() and time.monotonic() < deadline:
        if user is not None:
            _kill_all_of(user)
        found = descendants(os.getpid(), spare)
        if spare and not found:
            return
        for pid in found:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, os.WNOHANG)
        time.sleep(0.001)


def descendants(root: int, spare: Collection[int] = ()) -> list[int]:
    """The processes below `root`, leaving out `spare` and what is below those."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):  # it ended meanwhile
                stat = Path("/proc", name, "stat").read_bytes()
                children.setdefault(int(stat.rpartition(b")")[2].split()[1]), []).append(int(name))
    found: list[int] = []
    waiting = [root]
    while waiting:
        below = [pid for pid in children.get(waiting.pop(), ()) if pid not in spare]
        found += below
        waiting += below
    return found


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _kill_all_of(user: int) -> None:
    with contextlib.suppress(OSError):
        pid = os.fork()
        if pid == 0:
            try:
                os.setresuid(user, user, user)
                os.kill(-1, signal.SIGKILL)
            finally:
                os._exit(0)
        os.waitpid(pid, 0)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) was refused")

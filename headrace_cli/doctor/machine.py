"""The machine: Python, the sandbox of code nodes and what it is made of, cgroups, the clock."""

from __future__ import annotations

import ctypes
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

from definitions.sandbox.machine import examine
from headrace_cli.doctor.finding import Finding, Grade
from platform_core.settings import Settings

_OLDEST = (3, 11)
_LIMITS = {
    "/proc/sys/user/max_user_namespaces": ("0", "sysctl -w user.max_user_namespaces=10000"),
    "/proc/sys/kernel/unprivileged_userns_clone": ("0", "sysctl -w kernel.unprivileged_userns_clone=1"),
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": (
        "1",
        "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
}
"""Switches that keep user namespaces from ordinary users, of the kernel, Debian and Ubuntu, and how to turn them."""
_CONTROLLERS = Path("/sys/fs/cgroup/cgroup.controllers")
_TIME_ERROR = 5


def examine_machine(settings: Settings) -> Iterator[Finding]:
    """Everything that neither a home nor a database changes."""
    said = platform.python_version()
    if sys.version_info < _OLDEST:
        yield Finding("python", Grade.MEND, said, "Install Headrace with Python 3.11 or newer.")
    else:
        yield Finding("python", Grade.OK, said)
    yield from _sandbox(settings)
    yield _landlock()
    yield _namespaces()
    yield _cgroup()
    yield _clock()


def _sandbox(settings: Settings) -> Iterator[Finding]:
    gaps = examine().gaps
    if not gaps:
        yield Finding("sandbox", Grade.OK, "code nodes are kept from the services and from one another")
    for gap in gaps:
        must = gap.is_grave and not settings.allow_weak_sandbox
        advice = "Until then code nodes of other owners than the administrator are refused; HEADRACE_ALLOW_WEAK_SANDBOX"
        advice += " allows them, if the owners trust one another."
        yield Finding("sandbox", Grade.MEND if must else Grade.NOTE, gap.value, advice if must else None)


def _landlock() -> Finding:
    version = examine().landlock
    if version:
        return Finding("landlock", Grade.OK, f"version {version}")
    return Finding("landlock", Grade.NOTE, "the kernel has none", "Boot with lsm=landlock,..., or Linux 5.13 or newer.")


def _namespaces() -> Finding:
    if examine().has_namespaces:
        return Finding("namespaces", Grade.OK, "each call of a code node gets its own")
    for path, (closed, advice) in _LIMITS.items():
        switch = Path(path)
        if switch.exists() and switch.read_text().strip() == closed:
            return Finding("namespaces", Grade.NOTE, f"{path} is {closed}", f"Run `{advice}` as root.")
    return Finding(
        "namespaces",
        Grade.NOTE,
        "refused, as by the filters of most containers",
        "In Docker they need `--security-opt` for seccomp, apparmor and systempaths, all unconfined.",
    )


def _cgroup() -> Finding:
    found = _CONTROLLERS.read_text().split() if _CONTROLLERS.exists() else []
    said = f"version 2 ({', '.join(found) or 'no controllers'})" if _CONTROLLERS.exists() else "no version 2"
    return Finding("cgroup", Grade.OK, f"{said}; not used: the memory of a call is limited for each of its processes")


def _clock() -> Finding:
    state = int(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(256)))  # adjtimex(2): it changes nothing
    if state == _TIME_ERROR:
        advice = "Let chrony or systemd-timesyncd set it: timers and signatures of webhooks depend on it."
        return Finding("clock", Grade.NOTE, "the kernel does not know it to be right", advice)
    return Finding("clock", Grade.OK, "synchronized" if state >= 0 else "the kernel says nothing of it")

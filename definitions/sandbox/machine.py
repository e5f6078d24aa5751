"""What of the sandbox this machine cannot enforce, for those who are to know: `up`, `/readyz`, the doctor, run workers.

It is tried out in a process of its own, `python -m definitions.sandbox.machine`, since this one may have threads.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from enum import Enum
from functools import lru_cache

from definitions.sandbox import confinement, system_calls, walls

_PATIENCE = 30.0


class Gap(Enum):
    """Something that code nodes can do on a machine that cannot enforce otherwise."""

    FILES = "code nodes read the files of the home (allow user namespaces, or Linux 5.13 with Landlock)"
    PORTS = "code nodes reach Dagster's UI by its port (Linux 6.7 with Landlock)"
    SIGNALS = "code nodes can end processes of their user (allow user namespaces, or Linux 6.12 with Landlock)"
    NEIGHBOURS = "code nodes that run at once share a user and their files (allow user namespaces, or start as root)"
    CALLS = "system calls of this kind of machine are not filtered, so memory of code nodes is not all counted"
    DISK = "what code nodes write to temporary folders stays, without a bound (allow user namespaces)"
    PUBLIC = "`network: public` of code nodes is refused (allow user namespaces)"

    @property
    def is_grave(self) -> bool:
        """Whether one owner's code can so get at the services, or at other owners' runs."""
        return self not in (Gap.DISK, Gap.PUBLIC)


@dataclass(frozen=True)
class Machine:
    """What was found; `landlock` is the kernel's version of it, 0 without."""

    has_own_users: bool
    has_namespaces: bool
    landlock: int
    knows_calls: bool

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """All that cannot be enforced here, the grave first."""
        is_alone = self.has_own_users or self.has_namespaces
        found = {
            Gap.FILES: not is_alone and self.landlock < confinement.FILES,
            Gap.PORTS: self.landlock < confinement.PORTS,
            Gap.SIGNALS: not is_alone and self.landlock < confinement.SIGNALS,
            Gap.NEIGHBOURS: not is_alone,
            Gap.CALLS: not self.knows_calls,
            Gap.DISK: not self.has_namespaces,
            Gap.PUBLIC: not self.has_namespaces,
        }
        return tuple(gap for gap, is_open in found.items() if is_open)


@lru_cache(maxsize=1)
def examine() -> Machine:
    """Try out what this process's user has on this machine; takes some 50 ms, once."""
    command = [sys.executable, "-P", "-m", "definitions.sandbox.machine"]
    found = subprocess.run(command, capture_output=True, check=True, timeout=_PATIENCE).stdout
    return Machine(**json.loads(found))


def shortcomings() -> str | None:
    """The gaps as one line; None without any."""
    return "; ".join(gap.value for gap in examine().gaps) or None


def _try_out() -> Machine:
    found = walls.find()
    return Machine(
        has_own_users=found.user == walls.FIRST_USER,
        has_namespaces=found.has_namespaces,
        landlock=confinement.landlock_version(),
        knows_calls=system_calls.are_known(),
    )


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(_try_out())))

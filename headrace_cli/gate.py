"""A gate between processes: children load their code while what they wait for is still being made, then go on together.

It is a pipe: the children read, the gate opens when the supervisor closes the only write end.
"""

from __future__ import annotations

import os

VARIABLE = "HEADRACE_GATE_FD"
"""Environment variable that names the inherited read end."""


class Gate:
    """The supervisor's side. Give `fd` to the children."""

    def __init__(self) -> None:
        self.fd, self._write_end = os.pipe()
        self._open = False

    def open(self) -> None:
        """Let everybody pass, now and later."""
        if not self._open:
            self._open = True
            os.close(self._write_end)

    def close(self) -> None:
        """Give the descriptors back."""
        self.open()
        os.close(self.fd)


def pass_gate(fd: str | None) -> None:
    """Wait until the gate behind the value of `HEADRACE_GATE_FD` is open; without a value there is none."""
    if fd is not None:
        os.read(int(fd), 1)

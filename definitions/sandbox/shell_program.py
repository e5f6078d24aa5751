"""The program that runs a shell script in the sandbox of users' code; its source is sent there (see shell_service).

Standard library only. Both streams go on live, and are kept up to a limit.
"""

from __future__ import annotations

import os
import subprocess
import threading
from typing import Any


def main(script: str, env: dict[str, str], stdin: str | bytes, limit: int) -> dict[str, Any]:
    """Run the script by /bin/sh. Returns its exit code and what it wrote, cut at `limit` bytes each."""
    child = subprocess.Popen(
        ["/bin/sh", "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **env},
    )
    assert child.stdin is not None
    kept: dict[int, bytearray] = {1: bytearray(), 2: bytearray()}

    def pass_on(source: Any, target: int) -> None:
        while portion := source.read1(65536):
            kept[target] += portion[: max(0, limit - len(kept[target]))]
            rest = memoryview(portion)
            while rest:
                rest = rest[os.write(target, rest) :]

    pumps = [
        threading.Thread(target=pass_on, args=pair, daemon=True) for pair in ((child.stdout, 1), (child.stderr, 2))
    ]
    for pump in pumps:
        pump.start()
    try:
        child.stdin.write(stdin.encode() if isinstance(stdin, str) else stdin)
        child.stdin.close()
    except BrokenPipeError:  # the script does not read it
        pass
    code = child.wait()
    for pump in pumps:
        pump.join(1.0)  # a process that the script left behind may hold the streams open
    return {
        "exit_code": code if code >= 0 else 128 - code,
        "stdout": kept[1].decode("utf-8", "replace"),
        "stderr": kept[2].decode("utf-8", "replace"),
    }

"""`python -m tests.e2e.hostile.without_namespaces COMMAND…`: a command where the kernel gives no namespaces.

As in most containers, whose filters refuse the calls.
"""

from __future__ import annotations

import os
import sys

from tests.unit.definitions.sandbox.container import refuse_namespaces

if __name__ == "__main__":
    refuse_namespaces()
    os.execvp(sys.argv[1], sys.argv[1:])

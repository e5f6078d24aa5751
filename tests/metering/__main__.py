"""`make metering COUNT=...`."""

from __future__ import annotations

import sys

from tests.metering.measuring import main

if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))

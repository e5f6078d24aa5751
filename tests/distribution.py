"""How tests are dealt out to the processes of `make test`: whole modules, those of the slowest folders first."""

from __future__ import annotations

import os

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadGroupScheduling

SLOWEST_FIRST = ("tests/e2e/", "tests/integration/definitions/", "tests/integration/", "tests/contract/")
"""Folders whose modules are begun first, so that no process is left with a long one at the end."""


class ByModule(LoadGroupScheduling):  # type: ignore[misc]  # xdist is not annotated
    """Keeps the tests of a module in one process, since they share its fixtures, and those of an `xdist_group`."""

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        """The group that the test names, else its module."""
        return str(super()._split_scope(nodeid)).partition("::")[0]


def by_slowness(nodeid: str) -> int:
    """The rank of the test's folder, from 0 for the slowest."""
    ranks = (rank for rank, folder in enumerate(SLOWEST_FIRST) if nodeid.startswith(folder))
    return next(ranks, len(SLOWEST_FIRST))


def processes() -> int:
    """One more than there are cores, since tests also wait: for processes, leases and disks."""
    return (os.cpu_count() or 1) + 1

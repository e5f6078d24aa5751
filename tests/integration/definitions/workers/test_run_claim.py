"""One pod has a run; the next may have it when the first is gone."""

from __future__ import annotations

import pytest

from definitions.workers.run_claim import RunClaim, RunClaimed
from platform_core.database.engine import plain_url


def test_a_claim_is_held_by_one_until_it_is_let_go(database_url: str) -> None:
    url = plain_url(database_url)
    with RunClaim(url, "a"):
        with pytest.raises(RunClaimed), RunClaim(url, "a", patience=0):
            pass
        with RunClaim(url, "b", patience=0):
            pass
    with RunClaim(url, "a", patience=5):
        pass

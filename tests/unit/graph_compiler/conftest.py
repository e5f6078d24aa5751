"""Property tests here have no deadline: this machine is shared, and no test is about time."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

"""The header that makes a launch happen once however often it is asked for."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header

KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        # Keys with a colon in front are ours, for webhooks, timers and batches.
        pattern=r"^[!-9;-~][!-~]{0,199}$",
        description="The same key with the same body is answered with the first run.",
    ),
]

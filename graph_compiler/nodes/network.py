"""What of the network code may reach."""

from __future__ import annotations

from enum import StrEnum


class Network(StrEnum):
    """From nothing to everything."""

    NONE = "none"
    PUBLIC = "public"
    ALL = "all"

    def exceeds(self, most: Network) -> bool:
        """Whether it is more than `most`."""
        order = list(Network)
        return order.index(self) > order.index(most)

"""One measured figure: its samples, those of plain Dagster, and the least that the product has to reach."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Figure:
    """`values` and `plain` are samples in `unit`; `first` and `goal` are the figures to reach, as text."""

    name: str
    unit: str
    values: list[float]
    plain: list[float] = field(default_factory=list)
    first: str = ""
    goal: str = ""

    def as_dict(self) -> dict[str, Any]:
        """All of it, with the percentiles."""
        return {
            "name": self.name,
            "unit": self.unit,
            "n": len(self.values),
            "p50": percentile(self.values, 50),
            "p99": percentile(self.values, 99),
            "plain_n": len(self.plain),
            "plain_p50": percentile(self.plain, 50) if self.plain else None,
            "first": self.first,
            "goal": self.goal,
            "values": self.values,
            "plain": self.plain,
        }


def percentile(values: list[float], percent: int) -> float:
    """A percentile by linear interpolation; of few samples the high ones are near the maximum."""
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]

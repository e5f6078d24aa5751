"""One measured figure: its samples, those of plain Dagster and of n8n, and what is to be reached."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Figure:
    """`values`, `plain` and `n8n` are samples in `unit`; `goal` is the figure to reach, as text."""

    name: str
    unit: str
    values: list[float]
    plain: list[float] = field(default_factory=list)
    n8n: list[float] = field(default_factory=list)
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
            "n8n_n": len(self.n8n),
            "n8n_p50": percentile(self.n8n, 50) if self.n8n else None,
            "goal": self.goal,
            "values": self.values,
            "plain": self.plain,
            "n8n": self.n8n,
        }


def percentile(values: list[float], percent: int) -> float:
    """A percentile by linear interpolation; of few samples the high ones are near the maximum."""
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]

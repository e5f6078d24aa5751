"""Very many generated texts, on all processors: how long and large the worst was, and what crashed."""

from __future__ import annotations

import json
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass

from tests.metering.generated import KINDS, evaluate

PORTION = 500


@dataclass
class Worst:
    """The longest of some texts, in seconds of the processor, and the most memory (MB) of a process that met them."""

    seconds: float = 0.0
    number: int = -1
    megabytes: float = 0.0


def measure(first: int) -> tuple[dict[str, Worst], list[str]]:
    """A portion of numbers: the worst of each kind, and what crashed."""
    worst, crashed = {kind: Worst() for kind in KINDS}, []
    for number in range(first, first + PORTION):
        began = time.process_time()
        try:
            kind = evaluate(number)
        except BaseException as error:
            crashed.append(f"{number}: {type(error).__name__}: {error}")
            continue
        spent = time.process_time() - began
        if spent > worst[kind].seconds:
            worst[kind] = Worst(spent, number)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for one in worst.values():
        one.megabytes = peak
    return worst, crashed


def main(count: int, first: int = 0) -> int:
    """Evaluate `count` texts and write what was found as JSON; the exit code."""
    worst, crashed = {kind: Worst() for kind in KINDS}, []
    with ProcessPoolExecutor(max_tasks_per_child=100) as pool:
        for done, (found, errors) in enumerate(pool.map(measure, range(first, first + count, PORTION)), 1):
            crashed += errors
            for kind, one in found.items():
                if one.seconds > worst[kind].seconds:
                    worst[kind] = Worst(one.seconds, one.number, max(one.megabytes, worst[kind].megabytes))
            if done % 20 == 0:
                sys.stderr.write(f"{done * PORTION} of {count}\n")
    summary = {"count": count, "worst": {kind: asdict(one) for kind, one in worst.items()}, "crashed": crashed}
    sys.stdout.write(json.dumps(summary, indent=2) + "\n")
    return int(bool(crashed))

"""What a multiply-add or an element costs in every layer and engine, beside the cheapest of its kind.

    python benchmarks/layer_costs.py [--only TYPE ...] [--seconds 0.3] [--check]

Layers that multiply matrices are held against one another by multiply-adds, all others by the elements of bottoms and
tops; data layers, which read files, are left out. A layer that costs more than LIMIT times the cheapest is explained
in WHY, or is a fault: --check then exits with 1.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from layer_cases import CASES, SOURCES, Case
from layer_times import measure

LIMIT = 20
ENGINES = ("onednn", "caffe")
_TOO_SHORT = 2e-5  # seconds: calls, not arithmetic
WHY = {
    "depthwise 5x5": "25 multiply-adds for an element: memory bounds it",
    "6 to 9, group 3": "50 multiply-adds for an element, in products of 3 x 50",
    "group 32": "36 multiply-adds for an output, in products of 4 x 36",
    "LRN": "a power for each element",
    "Pooling STOCHASTIC": "a draw for each window",
    "LSTMUnit": "five exponentials for each element of c",
    "Embed": "rows of 256 are moved for each element that is counted",
    "SoftmaxWithLoss": "an exponential for each element",
    "Accuracy": "the scores are ranked",
    "ArgMax": "the scores are ranked",
    "Tile": "its gradient adds up four copies of rows",
    "SPP": "reductions over windows with short rows",
}


@dataclass(frozen=True)
class Cost:
    """Nanoseconds of a unit, one way."""

    case: Case
    engine: str
    way: str
    cost: float

    @property
    def name(self) -> str:
        return f"{self.case.type} {self.case.variant}".strip()

    @property
    def why(self) -> str:
        named = (text for key, text in WHY.items() if self.name.startswith(key) or self.case.variant == key)
        return next(named, "") or self.case.bound


def costs(case: Case, engine: str, seconds: float) -> list[Cost]:
    """Of forward and backward, where they take long enough to be told from a call."""
    result, found = measure(case, seconds, engine), []
    elements = sum(prod(shape) for shape in case.bottoms) * 2  # a top is about as large
    for number, (way, timing) in enumerate((("forward", result.forward), ("backward", result.backward))):
        if timing is None or timing.fastest < _TOO_SHORT:
            continue
        units = sum(g.m * g.k * g.n * g.times for g in case.products[number]) if case.products else elements
        found.append(Cost(case, engine, way, timing.fastest / units * 1e9))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cases = [case for case in CASES if case not in SOURCES]
    parser.add_argument("--only", nargs="+", metavar="TYPE", choices=sorted({c.type for c in cases}))
    parser.add_argument("--seconds", type=float, default=0.3, help="for each layer and engine (0.3)")
    parser.add_argument("--check", action="store_true", help="exit 1 where one is over the limit and not explained")
    asked = parser.parse_args(arguments)
    chosen = [case for case in cases if asked.only is None or case.type in asked.only]
    every = [cost for case in chosen for engine in ENGINES for cost in costs(case, engine, asked.seconds)]
    faults = 0
    for kind, unit in ((True, "multiply-add"), (False, "element")):
        of_kind = [cost for cost in every if (cost.case.products is not None) is kind]
        least = min((cost.cost for cost in of_kind), default=0)
        print(f"nanoseconds for each {unit}; the cheapest: {least:.4f}")
        for cost in sorted(of_kind, key=lambda cost: -cost.cost):
            times = cost.cost / least
            over = "" if times <= LIMIT else f"  {cost.why or 'FAULT'}"
            faults += times > LIMIT and not cost.why
            print(f"  {cost.name:34}{cost.engine:8}{cost.way:9}{cost.cost:10.4f}{times:8.1f} x{over}")
    return int(asked.check and faults > 0)


if __name__ == "__main__":
    logging.getLogger("brew").setLevel(logging.ERROR)
    sys.exit(main())

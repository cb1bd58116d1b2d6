"""More random nets than the tests have time for, or some again; see the package's docstring."""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import time
from collections import Counter, defaultdict
from pathlib import Path

from brew import prototxt

from . import SEED, grammar, many, pairs, ways
from .shrink import shrink
from .spelling import spell


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m differential")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--first", type=int, default=0, help="the first net's number")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--more", type=int, default=2, help="ways drawn for each net, beside those that all have")
    parser.add_argument(
        "--pairs", type=int, default=pairs.LENGTH, help="of neighbouring types in a net that walks through them"
    )
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="where failing nets go, shrunk")
    parser.add_argument("--most", type=int, default=3, help="failing nets shrunk of each kind")
    parser.add_argument("--verbose", action="store_true")
    given = parser.parse_args()
    numbers = range(given.first, given.first + given.count)
    began, totals, kinds, shrunk = time.perf_counter(), Counter[str](), Counter[str](), defaultdict[str, int](int)
    for number, found, seconds in many.checked(
        given.seed, numbers, more=given.more, length=given.pairs, jobs=given.jobs
    ):
        totals["nets"] += 1
        totals["runs"] += found.ways
        totals["dropped"] += bool(found.dropped)
        if found.dropped and given.verbose:
            print(f"{given.seed}/{number}: {found.dropped}")
        totals["failed"] += bool(found.failures)
        totals["ms"] += int(1000 * seconds)
        for kind in {f.kind for f in found.failures}:
            kinds[kind] += 1
        for failure in found.failures[:1]:
            print(f"{given.seed}/{number}: {failure}", flush=True)
            if given.keep and shrunk[failure.kind] < given.most:
                shrunk[failure.kind] += 1
                _write(given, number, failure)
    print(f"{dict(totals)} in {time.perf_counter() - began:.1f} s")
    for kind, count in kinds.most_common():
        print(f"{count:5d}  {kind}")


def _write(given: argparse.Namespace, number: int, failure: ways.Failure) -> None:
    case, failure = shrink(grammar.make(given.seed, number, given.pairs), failure)
    given.keep.mkdir(parents=True, exist_ok=True)
    text = prototxt.to_text(spell(case, in_place=failure.way.in_place).net)
    notes = "".join(f"# {line}\n" for line in str(failure).splitlines())
    phase = "TEST" if case.phase else "TRAIN"
    more = f"# {phase}; {len(case.passes)} passes, adds {case.adds}, touched {case.touched}; seed {case.seed} number {case.number}\n"
    (given.keep / f"{given.seed}_{number}.prototxt").write_text(notes + more + text)


if __name__ == "__main__":
    main()

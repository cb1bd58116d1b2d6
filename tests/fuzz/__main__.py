"""More mutants than the tests have time for, or some again; see the package's docstring."""

from __future__ import annotations

import argparse
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

from brew.checks.records.check import CheckFailed

from . import SEED, batches, corpus
from .mutate import mutant
from .oracle import Oracle

_BATCH = 200


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m fuzz")
    parser.add_argument("--kind", action="append", choices=corpus.IN_PROCESS + corpus.IN_CHILD, help="default: all")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--first", type=int, default=0, help="the first mutant's number")
    parser.add_argument("--count", type=int, default=1000, help="of mutants, of each kind")
    parser.add_argument("--keep", type=Path, default=Path("mutants"), help="where failing mutants go (or the only one)")
    given = parser.parse_args()
    warnings.simplefilter("error")
    keep = given.keep.absolute()
    numbers = range(given.first, given.first + given.count)
    with tempfile.TemporaryDirectory() as folder:
        oracle = Oracle(Path(folder))
        for kind in given.kind or corpus.IN_PROCESS + corpus.IN_CHILD:
            began = time.monotonic()
            run = _in_process if kind in corpus.IN_PROCESS else _in_child
            result = run(given.seed, kind, numbers, oracle, keep, Path(folder))
            print(f"{kind}: {dict(result)} in {time.monotonic() - began:.1f} s", flush=True)


def _make(seed: int, kind: str, number: int) -> bytes:
    return mutant(seed, kind, number, corpus.files(kind), text=kind in corpus.TEXT)


def _in_process(seed: int, kind: str, numbers: range, oracle: Oracle, keep: Path, _: Path) -> Counter[str]:
    result: Counter[str] = Counter()
    for number in numbers:
        data = _make(seed, kind, number)
        if len(numbers) == 1:
            _save(keep, kind, number, data)
        try:
            result["read" if oracle(kind, data) else "refused"] += 1
        except KeyboardInterrupt:
            raise
        except BaseException:
            result["failed"] += 1
            print(f"{_save(keep, kind, number, data)}\n{traceback.format_exc()}", flush=True)
    return result


def _in_child(seed: int, kind: str, numbers: range, _: Oracle, keep: Path, folder: Path) -> Counter[str]:
    result: Counter[str] = Counter()
    for start in range(numbers.start, numbers.stop, _BATCH):
        mutants = [(n, _make(seed, kind, n)) for n in range(start, min(start + _BATCH, numbers.stop))]
        where = keep if len(numbers) == 1 else folder
        try:
            result += batches.outcomes(where / f"{kind}_{start}", kind, mutants)
        except (CheckFailed, AssertionError) as error:
            result["failed batches"] += 1
            print(f"{kind}, from number {start}: {error}", flush=True)
            for number, data in mutants:
                _save(keep, kind, number, data)
    return result


def _save(keep: Path, kind: str, number: int, data: bytes) -> Path:
    keep.mkdir(parents=True, exist_ok=True)
    path = keep / f"{kind}_{number}"
    path.write_bytes(data)
    return path


if __name__ == "__main__":
    main()

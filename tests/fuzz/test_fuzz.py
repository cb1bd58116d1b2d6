"""Mutants of everything Brew reads: each is read or refused by a BrewError, in bounded time and memory.

A failure names its mutant; the package's docstring says how to run it again.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from pathlib import Path

import pytest

from fuzz import SEED, batches, corpus, oracle
from fuzz.mutate import mutant

FAST = {
    "net": 300,
    "solver": 120,
    "weights": 120,
    "state": 100,
    "mean": 60,
    "lmdb": 130,
    "hdf5": 110,
    "image": 30,
    "list": 30,
}
SLOW = {kind: 10 * count for kind, count in FAST.items()}


def make(kind: str, number: int) -> bytes:
    return mutant(SEED, kind, number, corpus.files(kind), text=kind in corpus.TEXT)


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> oracle.Oracle:
    monkeypatch.chdir(tmp_path)  # and back again, from where the oracle works
    return oracle.Oracle(tmp_path)


def run_in_process(kind: str, count: int, read: oracle.Oracle, folder: Path) -> None:
    outcomes: Counter[bool] = Counter()
    for number in range(count):
        data = make(kind, number)
        try:
            outcomes[read(kind, data)] += 1
        except BaseException as error:
            path = folder / f"{kind}_{number}"
            path.write_bytes(data)
            raise AssertionError(f"{kind} mutant {number} of seed {SEED}, kept as {path}: {error!r}") from error
    assert min(outcomes[True], outcomes[False]) > count / 20, "mutants should be neither all whole nor all broken"


def run_in_child(kind: str, count: int, folder: Path) -> None:
    began = time.monotonic()
    outcomes = batches.outcomes(folder / "mutants", kind, [(number, make(kind, number)) for number in range(count)])
    assert outcomes.total() == count
    assert outcomes["fine"] > count / 20
    assert outcomes["bad"] + outcomes["unusable"] > count / 20
    assert time.monotonic() - began < 30 + count / 10


@pytest.mark.parametrize("kind", corpus.IN_PROCESS)
def test_in_this_process(kind: str, read: oracle.Oracle, tmp_path: Path) -> None:
    run_in_process(kind, FAST[kind], read, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", corpus.IN_PROCESS)
def test_in_this_process_at_length(kind: str, read: oracle.Oracle, tmp_path: Path) -> None:
    run_in_process(kind, SLOW[kind], read, tmp_path)


@pytest.mark.parametrize("kind", corpus.IN_CHILD)
def test_in_the_child_of_data_check(kind: str, tmp_path: Path) -> None:
    run_in_child(kind, FAST[kind], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", corpus.IN_CHILD)
def test_in_the_child_of_data_check_at_length(kind: str, tmp_path: Path) -> None:
    run_in_child(kind, SLOW[kind], tmp_path)


def test_there_are_as_many_as_promised() -> None:
    assert set(FAST) == {*corpus.IN_PROCESS, *corpus.IN_CHILD}
    assert sum(FAST.values()) == 1_000
    assert sum(SLOW.values()) == 10_000


# --- the fuzzer itself ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", corpus.IN_PROCESS)
def test_the_corpus_is_whole(kind: str, read: oracle.Oracle) -> None:
    lacking = b"raw_leveldb"  # a database that is not in the tree
    for data in corpus.files(kind):
        assert read(kind, data) or lacking in data


def test_the_same_numbers_give_the_same_mutants() -> None:
    files = [b'layer { name: "a" dim: 3 }\nlayer { type: "B" }\n', bytes(range(256)), b""]
    digest = hashlib.sha256()
    for number in range(500):
        digest.update(mutant(1, "any", number, files, text=number % 2 == 0) + b"\0\0")
    assert digest.hexdigest() == "46fd9a57d0565a8ce454242330580dcff33e6d76e29ed4d6a766ea4d5cb21895"
    assert len({mutant(SEED, "any", number, files, text=True) for number in range(500)}) > 150


@pytest.mark.parametrize(("fault", "error"), [
    (lambda path: hang(), oracle.TooLong),
    (lambda path: b"x" * (300 << 20), oracle.TooMuch),
    (lambda path: bytearray(3 << 30), MemoryError),
    (lambda path: {}[path], KeyError),
])  # fmt: skip
def test_the_oracle_can_fail(
    fault: object, error: type[BaseException], read: oracle.Oracle, monkeypatch: pytest.MonkeyPatch
) -> None:
    if error is oracle.TooLong:  # the others have all the time of a busy machine
        monkeypatch.setattr(oracle, "SECONDS", 0.5)
    monkeypatch.setattr(read, "read_mean", fault)
    with pytest.raises(error):
        read("mean", b"")


def hang() -> None:
    while True:
        pass

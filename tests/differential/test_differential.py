"""Random nets in every way that Brew can run them, against the plain spelling under NumPy in float64.

A failure names its seed and number; the package's docstring says how to run it again.
"""

from __future__ import annotations

import datetime
import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import brew
from brew import prototxt
from brew.layers.onednn import ENGINE
from differential import SEED, coverage, files, grammar, pairs, planted, slopes, ways
from differential.run import Session, Way
from differential.shrink import shrink
from differential.spelling import spell

TODAY = int(datetime.date.today().strftime("%Y%m%d"))
FAST, SLOW, PART = 300, 4000, 50
SHORT = 7  # pairs in the nets of the fast suite


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A working directory with the files that data layers read; Brew's warnings are not the matter here."""
    log = logging.getLogger("brew")
    before = log.level
    log.setLevel(logging.CRITICAL)
    with files.inside(tmp_path):
        yield tmp_path
    log.setLevel(before)


def hold(seed: int, first: int, count: int, folder: Path, *, length: int = pairs.LENGTH, more: int = 2) -> None:
    """AssertionError for the first net that does not hold, with its smallest form."""
    dropped = 0
    for number in range(first, first + count):
        case = grammar.make(seed, number, length)
        found = ways.check(case, ways.drawn(case, more))
        dropped += bool(found.dropped)
        if found.failures:
            smaller, failure = shrink(case, found.failures[0])
            path = folder / f"{seed}_{number}.prototxt"
            path.write_text(prototxt.to_text(spell(smaller, in_place=failure.way.in_place).net))
            again = f"python -m differential --seed {seed} --first {number} --count 1 --pairs {length} --more {more}"
            found_as = "\n".join(map(str, found.failures))
            raise AssertionError(f"{again}\nthe smallest form is {path}\n{failure}\nas found:\n{found_as}")
    assert dropped <= count / 10, "random nets should have numbers that mean something"


@pytest.mark.parametrize("part", range(FAST // PART))
def test_random_nets(part: int, folder: Path) -> None:
    """Two thirds of them the same for ever, the others new every day."""
    half = PART * 2 // 3
    hold(SEED, part * half, half, folder, length=SHORT, more=1)
    hold(TODAY, part * (PART - half), PART - half, folder, length=SHORT, more=1)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(SLOW // PART))
def test_random_nets_at_length(part: int, folder: Path) -> None:
    hold(SEED + 1 if part % 2 else TODAY + 1, part * PART, PART, folder, more=1)


def test_every_type_with_a_forward_is_there() -> None:
    rows = {"Input", *grammar.ROWS, *grammar.ENDS, *grammar.SOURCES}
    assert rows == set(brew.layer_type_list())


@pytest.mark.slow
def test_everything_comes_often_enough(folder: Path) -> None:
    counted = coverage.Coverage()
    for number in range(SLOW):
        counted.add(grammar.make(SEED + 1, number))
    print(counted.table())
    assert counted.lacking() == []


@pytest.mark.slow
@pytest.mark.onednn
def test_every_fused_row_forms(folder: Path) -> None:
    formed, rows = Counter[str](), [" ".join(row) for row in ENGINE.fused]
    for number in range(SLOW):
        if all(formed[row] >= coverage.LEAST for row in rows):
            break
        case, found = grammar.make(SEED + 1, number), set[str]()
        for way in (Way(keep="inputs"), Way(keep="none", forward_only=True)):
            session = Session(case, way)
            found |= {" ".join(step.layer.type for step in g.step.members) for g in session.net.executor.fused.groups}
            session.net.close()
        formed.update(found)
    print(formed)
    assert [row for row in rows if formed[row] < coverage.LEAST] == []


def test_the_gradients_of_the_reference_are_slopes(folder: Path) -> None:
    """It shares the graph and the plan of gradients with the engines that it judges: this shares only forward."""
    measured = 0
    for number in range(400):
        case = grammar.make(SEED, number, SHORT)
        if slopes.measurable(case):
            with np.errstate(all="ignore"):
                found, said = slopes.slope(case)
            measured += bool(found)
            assert abs(found - said) <= 1e-4 * max(1.0, abs(found)), f"{SEED}/{number}: {found:.6g}, not {said:.6g}"
    assert measured >= 15


def test_the_same_numbers_give_the_same_nets(folder: Path) -> None:
    one, two = (spell(grammar.make(SEED, 5), in_place=True).net for _ in range(2))
    assert one == two
    assert grammar.make(SEED, 6).ops != grammar.make(SEED + 1, 6).ops


# --- the differential test itself -------------------------------------------------------------------------------------


def found_among(count: int, fault: str) -> int | None:
    """How many nets it takes until a fault shows that is not there without it."""
    for number in range(count):
        case = grammar.make(SEED, number)
        chosen = ways.drawn(case, 2)
        with planted.FAULTS[fault]():
            failing = [failure.way for failure in ways.check(case, chosen).failures]
        if failing and not ways.check(case, failing).failures:
            return number + 1
    return None


@pytest.mark.slow
@pytest.mark.parametrize("fault", planted.FAULTS)
def test_a_planted_fault_is_found(fault: str, folder: Path) -> None:
    assert found_among(500, fault) is not None


def test_there_are_faults_enough() -> None:
    assert len(planted.FAULTS) >= 10

"""The ways that a case is run in, and what a case's check finds."""

from __future__ import annotations

import os
import random
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

import numpy as np
from cuda_host import host_cuda

from brew.errors import BrewError

from .case import Case
from .commands import WAYS as COMMANDS
from .commands import Commanded, can_be_commanded, changing, from_files
from .commands import reference as printed
from .compare import Scale
from .manners import MANNERS
from .poison import poisoned, pure
from .run import REFERENCE, SESSIONS, Outcome, Way, run
from .training import Trained, trains
from .twins import Twins, can_be_two

ROUNDED = Way(in_place=False, engine="caffe", fuse=False)

LARGE = 1e6  # numbers above this are no test of anything
ALWAYS = [
    Way(keep=None),
    Way(keep="inputs"),
]
_DRAWN: list[tuple[int, Way]] = [
    (4, Way(keep="none", manner="round")),
    (3, Way(keep="some")),
    (3, Way(keep="inputs", recompute=True)),
    (3, Way(keep="none", forward_only=True)),
    (3, Way(manner="round")),
    (2, Way(fuse=False)),
    (2, Way(fuse=False, keep="inputs")),
    (2, Way(engine="caffe")),
    (2, Way(engine="caffe", keep="inputs")),
    (1, Way(engine="caffe", float64=True)),
    (1, Way(float64=True, keep="inputs")),
    (1, Way(in_place=False)),
    (1, Way(in_place=False, keep="inputs")),
    (1, ROUNDED),
    (1, Way(forward_only=True)),
    *((1, Way(manner=m, keep=k)) for m in MANNERS if m not in ("whole", "round") for k in (None, "inputs")),
]


SESSIONS |= {"trained": Trained, "twins": Twins, "command": Commanded}
_TRAINED = [Way(manner="trained", solver=True, keep=keep) for keep in (None, "none", "none", "inputs")] + [
    Way(manner="trained", solver=True, keep="none", recompute=True),
    Way(manner="trained", solver=True, engine="caffe", keep="none"),
]
DEVICES = [Way(engine="caffe", device="cuda", keep=keep) for keep in (None, "inputs", "none")]
BY_HAND = Way(in_place=False, engine="caffe", float64=True, fuse=False, manner="trained")


def drawn(case: Case, count: int) -> list[Way]:
    """Those that every case has, and `count` more."""
    rng = random.Random(f"ways {case.seed}/{case.number}")
    ways = list(ALWAYS)
    while len(ways) < len(ALWAYS) + count:
        [way] = rng.choices([w for _, w in _DRAWN], [n for n, _ in _DRAWN])
        if way.manner in ("parts", "layers") and way.keep is not None:
            way = Way(in_place=way.in_place, manner="callbacks", keep=way.keep)
        if way not in ways:
            ways.append(way)
    if case.phase and rng.random() < 0.5:
        ways.append(Way(keep=rng.choice(["none", "none", "inputs", None]), forward_only=True))
    if rng.random() < 0.12 and trains(case):
        ways.append(rng.choice(_TRAINED))
    if rng.random() < 0.3 and can_be_two(case):
        ways.append(Way(manner="twins", keep=rng.choice([None, "inputs", "none"])))
    if rng.random() < 0.08 and can_be_commanded(case) and (case.phase or trains(case)):
        ways.append(rng.choice(COMMANDS))
    if rng.random() < 0.04 and len(case.ops) <= 15:
        ways.append(rng.choice(DEVICES))
    return ways


@dataclass(slots=True)
class Failure:
    """A way in which a case is wrong."""

    way: Way
    differences: list[str] = field(default_factory=list)
    error: str = ""

    @property
    def kind(self) -> str:
        """What it is, in short: to count the same ones together."""
        if self.error:
            return self.error
        first = self.differences[0]
        what = first.split(": ")[0].split(", ", 1)[1].split(" ")[0]
        return f"wrong {what}{' (NaN)' if any('NaN' in d or 'nan' in d for d in self.differences) else ''}"

    def __str__(self) -> str:
        return "\n".join([f"{self.way}: {self.kind}", *(f"    {d}" for d in self.differences[:6])])


@dataclass(slots=True)
class Checked:
    """What came of a case: `failures`, or why it says nothing."""

    failures: list[Failure] = field(default_factory=list)
    dropped: str = ""
    ways: int = 0


def check(case: Case, ways: list[Way]) -> Checked:
    """Run a case in these ways and compare each with the reference."""
    with np.errstate(all="ignore"), poisoned(), _unsynced():
        try:
            reference = run(case, REFERENCE)
        except Exception as error:
            return Checked([Failure(REFERENCE, error=_described(error))])
        if bad := _senseless(reference):
            with pure():
                unspoilt = _senseless(run(case, REFERENCE))
            if not unspoilt:
                return Checked([Failure(REFERENCE, error=f"reads memory that nobody has written: {bad}")])
            return Checked(dropped=f"the reference is not finite, or large: {bad}")
        scale = Scale(
            reference, lambda: [*_off(case, 1, 2), run(case, ROUNDED)],
            lambda: [*_off(case, 3, 4, 5, 6), *_off(case, 3, 4, way=ROUNDED)],
        )  # fmt: skip
        plain = Scale(reference, lambda: _off(case, 1, 2), lambda: _off(case, 3, 4, 5, 6))
        result = Checked()
        for way in ways:
            if way.manner == "trained":
                failure = _one(case, way, _trained(case))
            elif way.manner == "command":
                failure = _commanded(from_files(case), way)
            else:
                failure = _one(case, way, plain if way == ROUNDED else scale)
            result.ways += 1
            if failure is not None:
                result.failures.append(failure)
    return result


@contextmanager
def _unsynced() -> Iterator[None]:
    """What HDF5Output and commands write need not outlive a power cut."""
    before, os.fsync = os.fsync, lambda file: None  # type: ignore[assignment]
    try:
        yield
    finally:
        os.fsync = before


def _senseless(outcome: Outcome) -> str:
    """The first of its arrays whose numbers mean nothing, if there is one."""
    bad = (
        key for key, array in outcome.items() if not (np.isfinite(array).all() and abs(array).max(initial=0) < LARGE)
    )
    return next((f"pass {' '.join(map(str, key))}" for key in bad), "")


def _one(case: Case, way: Way, scale: Scale) -> Failure | None:
    try:
        with host_cuda(case.number) if way.device == "cuda" else nullcontext():
            outcome = run(case, way)
    except Exception as error:
        if isinstance(error, BrewError) and allowed(case, way, error):
            return None
        return Failure(way, error=_described(error))
    differences = scale.differences(outcome)
    return Failure(way, differences) if differences else None


def _off(case: Case, *numbers: int, way: Way = REFERENCE) -> list[Outcome]:
    """The reference on inputs that are a little off: a kink that float32 may fall on either side of shows.

    From the third number on, what layers make is off too, by what float32 rounds: an MVN of values that are nearly alike
    makes much of that, of values or of gradients.
    """
    return [run(case, way, off=number) for number in numbers]


def _trained(case: Case) -> Scale:
    rounded = Way(in_place=False, engine="caffe", fuse=False, manner="trained")
    return Scale(run(case, BY_HAND), lambda: [run(case, BY_HAND, off=1), run(case, BY_HAND, off=2), run(case, rounded)])


def _commanded(case: Case, way: Way) -> Failure | None:
    if case.phase:
        outcome = run(case, REFERENCE)
        failure = _one(case, way, Scale(printed(case, outcome), lambda: [printed(case, run(case, ROUNDED))]))
        refused = failure is not None and "elements in this test pass" in failure.error and changing(outcome)
        return None if refused else failure
    return _one(case, way, _trained(case))


REFUSED: list[str] = []


def allowed(case: Case, way: Way, error: BrewError) -> bool:
    """Whether it may refuse, saying this."""
    return any(text in str(error) for text in REFUSED)


def _described(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    last = next((f for f in reversed(frames) if "/brew/" in f.filename or "/layers/" in f.filename), frames[-1])
    where = "/".join(last.filename.split("/")[-2:])
    return f"{type(error).__name__}: {str(error)[:150]} ({where} {last.name})"

"""The events of a training (`Solver.watch`): plain records."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, get_args


@dataclass(frozen=True, slots=True)
class Iterated:
    """An iteration ended. `loss` is the smoothed one, None where it was not read back; `seconds` it took."""

    iteration: int
    loss: float | None
    rate: float
    seconds: float
    images: int


@dataclass(frozen=True, slots=True)
class Displayed:
    """The display of iteration `iteration`, counted before its update: `loss` is the smoothed one, `outputs` are
    the train net's by element, of large ones the first (net.outputs.MOST_KEPT); `seconds`, `images` and the
    seconds `waited` for data since the last display, 0 at the first."""

    iteration: int
    loss: float
    rate: float
    outputs: dict[str, float]
    seconds: float
    images: int
    waited: float = 0.0


@dataclass(frozen=True, slots=True)
class Tested:
    """Test net `net` ran: mean of every element of every output, by name ("accuracy" or "name[3]"), of large ones the
    first (brew.net.outputs.MOST_KEPT)."""

    iteration: int
    net: int
    scores: dict[str, float]


@dataclass(frozen=True, slots=True)
class Snapshotted:
    """A snapshot is complete on disk."""

    iteration: int
    weights: Path
    state: Path


@dataclass(frozen=True, slots=True)
class Stopped:
    """The training ended after `iteration` updates; `reason` is one word: "max_iter", "request", "patience",
    "max_time" or "diverged". It took `seconds`, and `waited` so many of them for data."""

    iteration: int
    reason: str
    seconds: float = 0.0
    waited: float = 0.0


Event: TypeAlias = Iterated | Displayed | Tested | Snapshotted | Stopped
KINDS: tuple[type[Event], ...] = get_args(Event)

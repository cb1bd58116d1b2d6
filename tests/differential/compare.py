"""Whether an outcome agrees with the reference's, as closely as float32 lets it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .run import Outcome

CLOSE = 1e-3  # of a blob's largest magnitude
FLOOR = {"gradient": 1e-4, "learned": 1e-4}  # of the largest of all gradients: a sum that cancels is noise
ELSE = 2e-5  # of the largest of all values, or weights
KINKED = 0.2  # more than this, of its scale: the reference itself says nothing here


class Scale:
    """How far results may lie from `reference`."""

    def __init__(self, reference: Outcome, *unsure: Callable[[], list[Outcome]]) -> None:
        """`unsure` give further outcomes that are as right as the reference is: what they differ in is no fault.
        Those of the second are asked for only where the first leave a difference."""
        self.reference, self._unsure = reference, list(unsure)
        self._others: list[Outcome] = []
        most: dict[str, float] = {}
        self._largest = {key: float(abs(array).max(initial=0)) for key, array in reference.items()}
        for key, largest in self._largest.items():
            most[key[1]] = max(most.get(key[1], 0.0), largest)
        for pair in (("gradient", "learned"), ("value", "loss")):
            together = max(most.get(kind, 0.0) for kind in pair)
            most.update(dict.fromkeys(pair, together))
        self._most = most

    def differences(self, outcome: Outcome, factor: float = 1.0) -> list[str]:
        """What does not agree, in words; empty where all does."""
        found = []
        for key, array in outcome.items():
            want = self.reference.get(key)
            if want is None:
                found.append(f"{_said(key)}: the reference has none")
            elif want.shape != array.shape:
                found.append(f"{_said(key)}: {array.shape}, not {want.shape}")
            elif (text := self._differs(key, array, want, factor)) is not None:
                found.append(f"{_said(key)}: {text}")
        return found

    def _differs(self, key: tuple[object, ...], got: np.ndarray, want: np.ndarray, factor: float) -> str | None:
        if not want.size:
            return None
        off = abs(got - want)
        most = self._largest[key]
        allowed = factor * max(CLOSE * most, FLOOR.get(str(key[1]), ELSE) * self._most[str(key[1])], 1e-6)
        worst = float(off.max())
        if worst <= allowed:
            return None
        while True:
            others = (o[key] for o in self._others if key in o and o[key].shape == want.shape)
            spread = max((float(abs(other - want).max()) for other in others), default=0.0)
            if np.isfinite(worst) and worst <= allowed + 10 * spread:
                return None
            if spread > KINKED * max(most, 1e-3 * self._most[str(key[1])]) or self._unsettled():
                return None
            if not self._unsure:
                break
            self._others += self._unsure.pop(0)()
        at = np.unravel_index(np.nanargmax(off) if not np.isnan(off).all() else 0, off.shape)
        nan = f", {int(np.isnan(got).sum())} of {got.size} NaN" if np.isnan(got).any() else ""
        return f"{got[at]:.6g} where {want[at]:.6g} is right at {list(map(int, at))}, largest {most:.3g}{nan}"

    def _unsettled(self) -> bool:
        """Whether an index, or another whole number, is a different one in `_others`: an ArgMax of values that are alike
        but for what is rounded. What comes of it says nothing."""
        for key, want in self.reference.items():
            if key[1] == "value":
                whole = want == np.round(want)
                others = (o[key] for o in self._others if key in o and o[key].shape == want.shape)
                if any((abs(other - want)[whole] >= 0.5).any() for other in others):
                    return True
        return False


def _said(key: tuple[object, ...]) -> str:
    return f"pass {key[0]}, {' '.join(map(str, key[1:]))}"

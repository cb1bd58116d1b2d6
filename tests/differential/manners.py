"""How the passes of a net may go: at once, in parts, layer by layer, watched, looked at, reshaped."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .run import Session


def whole(s: Session, number: int) -> None:
    s.net.run_forward()
    s.give(number)
    if s.backward:
        s.net.run_backward()


def _round(s: Session, number: int) -> None:
    """Forward and backward as a training does them."""
    if s.case.force or not s.backward:
        whole(s, number)
    else:
        s.net.forward_backward()


def _parts(s: Session, number: int) -> None:
    """Cut in two, at another layer in every pass."""
    last = len(s.net.layers) - 1
    cut = int(s.rng.integers(0, last + 1))
    s.net.run_forward(0, cut)
    if cut < last:
        s.net.run_forward(cut + 1, last)
    s.give(number)
    if s.backward:
        cut = int(s.rng.integers(0, last + 1))
        s.net.run_backward(last, cut)
        if cut:
            s.net.run_backward(cut - 1, 0)


def _layers(s: Session, number: int) -> None:
    """Layer by layer in the second pass, whole in the others."""
    if number != 1:
        whole(s, number)
        return
    for layer in range(len(s.net.layers)):
        s.net.run_forward(layer, layer)
    s.give(number)
    for layer in reversed(range(len(s.net.layers)) if s.backward else range(0)):
        s.net.run_backward(layer, layer)


def _callbacks(s: Session, number: int) -> None:
    """A callback watches from the second pass on."""
    if number == 1:
        seen: list[int] = []
        for watch in (s.net.before_forward, s.net.after_forward, s.net.before_backward, s.net.after_backward):
            watch(seen.append)
    whole(s, number)


def _looked(s: Session, number: int) -> None:
    """Blobs are looked at before the first pass and between: all that can be read in full, some in part."""
    names = list(s.net.blobs) if s.way.keep is None else [n for n in s.net.blobs if n in (s.kept() or [])]
    for place, name in enumerate(names):
        if (place + s.case.number) % 3 == 0:
            assert s.net.blobs[name].data is not None
            assert number == 0 or s.net.blobs[name].diff is not None
    whole(s, number)


def _reshaped(s: Session, number: int) -> None:
    """Shapes are carried through the net before each pass."""
    s.net.reshape()
    s.net.clear_param_diffs() if not number else None
    whole(s, number)


MANNERS: dict[str, Callable[[Session, int], None]] = {
    "whole": whole,
    "round": _round,
    "parts": _parts,
    "layers": _layers,
    "callbacks": _callbacks,
    "looked": _looked,
    "reshaped": _reshaped,
}

"""What a prototxt is by the fields at its top: a net, a solver, or neither."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from brew import prototxt
from brew.files import regular
from brew.files.weights.recognising import are_a_solvers, top_names


def is_solver(path: str | Path) -> bool:
    """Whether most of the fields at the top of a prototxt are a solver's and not a net's."""
    return are_a_solvers(_top_names(path))


def no_net(path: str | Path) -> str | None:
    """A phrase for the file that a prototxt given as a net really is, by its fields; None where it may be a net."""
    names = list(_top_names(path))
    if set(names) == {"item"}:
        return "this is a label map of SSD's, neither net nor solver"
    return "this is a solver, and a net was expected" if are_a_solvers(names) else None


def _top_names(path: str | Path) -> Iterator[str]:
    try:
        text = regular.read_text(path, "utf-8-sig", errors="replace", most=prototxt.LARGEST_FILE)
    except OSError:
        return
    yield from top_names(text)

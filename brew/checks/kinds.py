"""What a prototxt is, told from the fields at its top: a net, a solver, or neither."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from brew import prototxt, regular_file
from brew._prototxt_schema import fields_of
from brew._prototxt_tokens import Source, Tokens
from brew.errors import PrototxtError
from brew.proto.brew_pb2 import NetParameter, SolverParameter


def is_solver(path: str | Path) -> bool:
    """Whether most of the fields at the top of a prototxt are a solver's and not a net's."""
    return _are_a_solvers(_top_names(path))


def no_net(path: str | Path) -> str | None:
    """What a prototxt given as a net is in place of one, where its fields are another file's; None for all others."""
    names = list(_top_names(path))
    if set(names) == {"item"}:
        return "this is a label map of SSD's, neither net nor solver"
    return "this is a solver, and a net was expected" if _are_a_solvers(names) else None


def _are_a_solvers(names: Iterable[str]) -> bool:
    net, solver = fields_of(NetParameter.DESCRIPTOR), fields_of(SolverParameter.DESCRIPTOR)
    return sum((name in solver) - (name in net) for name in names) > 0


def _top_names(path: str | Path) -> Iterator[str]:
    """The names of the fields at the top of a text, as far as it can be read."""
    try:
        text = regular_file.read_text(path, "utf-8-sig", errors="replace", most=prototxt.LARGEST_FILE)
        tokens, depth, before = Tokens(Source(text, str(path))), 0, ""
        while tokens.kind != "end":
            if tokens.kind == "name" and depth == 0 and before != ":":
                yield tokens.text
            if tokens.kind == "symbol":
                depth += (tokens.text in "{<") - (tokens.text in "}>")
            before = tokens.text
            tokens.advance()
    except (OSError, PrototxtError):
        return

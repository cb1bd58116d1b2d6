"""The findings of a file of any kind: a net, a solver, or weights, told apart by its contents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from brew.errors import BrewError, InputError
from brew.files.weights.recognising import DATA, NET, SOLVER, WEIGHTS, recognise
from brew.proto.brew_pb2 import NetParameter, SolverParameter

from . import data_rules, label_rules, nets, solver_rules, weights
from .all_net_rules import NET_RULES
from .finding import Finding, merged
from .prototxts import is_solver
from .states import Options, heard
from .texts import Texts


def check(path: str, options: Options) -> list[Finding]:
    """All findings of the file, and of the nets it names where it is a solver. An unreadable file is a finding too."""
    with heard(path) as said:
        found = list(_findings(path, options))
    return merged([*found, *said], [path])


def _findings(path: str, options: Options) -> Iterator[Finding]:
    texts = Texts()
    try:
        found = list(_judged(path, options, texts))
    except BrewError as error:
        found = [Finding.of(error, path)]
    yield from texts.findings
    yield from (finding for finding in found if not texts.echoes(finding))


def _judged(path: str, options: Options, texts: Texts) -> Iterator[Finding]:
    known = recognise(path)
    if known is not None and known.noun not in (NET, SOLVER, WEIGHTS, "a text file"):
        hint = "`brew data check` looks at data" if known.noun in DATA else known.use
        raise InputError(f"this is {known.noun}; a net, a solver or weights can be checked", hint=hint)
    if Path(path).is_file() and weights.is_weights(Path(path)):
        yield from weights.weights_findings(path)
        return
    for file in options.weights:
        yield from weights.weights_findings(file)
    if is_solver(path):
        yield from nets.solver_findings(texts.read(path, SolverParameter), options, texts)
    else:
        document = texts.read(path, NetParameter)
        yield from nets.net_findings(document, replace(options, broken=frozenset(texts.broken)))


def meanings() -> dict[str, str]:
    """Every code of a warning with what it warns of."""
    rules = (NET_RULES, label_rules.LABEL_RULES, data_rules.PAIR_RULES, solver_rules.SOLVER_RULES)
    found: dict[str, str] = {**nets.MEANINGS, **weights.MEANINGS}
    for register in rules:
        found.update(register.meanings())
    return dict(sorted(found.items()))


def worst(findings: Iterable[Finding], *, strict: bool = False) -> int:
    """The exit code: 1 where there is an error, or with `strict` any finding."""
    return int(any(strict or finding.severity == "error" for finding in findings))

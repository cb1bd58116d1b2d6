"""The best test so far: the watched output, its best score, and the tests since (early stopping)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from brew.errors import SolverError, did_you_mean
from brew.net.net import Net
from brew.proto.brew_pb2 import ResumeState, SolverParameter
from brew.prototxt import Document
from brew.solver.scoring.names import among

from .update_problems import Problem

_FIELD = ("best",)
_ERRORS = ("mae", "rmse")  # metrics of which less is better
_OUTPUT = re.compile(r"(?P<name>[^\[\]]+)(?:\[(?P<index>-?\d{1,9})\])?")


def best_problem(best: str, outputs: Sequence[Mapping[str, int]]) -> Problem | None:
    """The mistake in the field `best`, if any; `outputs` of every test net are numbers of elements by name."""
    if not best:
        return None
    match = _OUTPUT.fullmatch(best)
    if match is None:
        what = f'best is "{best}"; the name of an output is expected, or one element of it, name[3]'
        return Problem(what, _FIELD, None)
    name, index = match["name"], match["index"]
    known = sorted({output for net in outputs for output in net})
    size = next((net[name] for net in outputs if name in net), None)
    if size is None:
        listed = ", ".join(known) or "none"
        what = f'best is "{best}", which no test net puts out; outputs are {listed}'
        return Problem(what, _FIELD, did_you_mean(name, known))
    if index is None and size != 1:
        hint = f'best: "{name}[0]" is the first of them'
        return Problem(f'best is "{best}", an output of {size} elements', _FIELD, hint)
    if index is not None and not 0 <= int(index) < size:
        what = "one element" if size == 1 else f"{size} elements"
        right = f'best: "{name}"' if size == 1 else f"they count from 0 to {size - 1}"
        return Problem(f'best is "{best}", and {name} has {what}', _FIELD, right)
    return None


class Best:
    """Follows the test output `best`, or the metric; the first test net that has it counts. `metrics`: names, by net.

    `score` and `iteration` are those of the best test, None before the first; `waited` counts the tests since.
    """

    def __init__(
        self, document: Document[SolverParameter], test_nets: Sequence[Net], metrics: Sequence[Sequence[str]] = ()
    ) -> None:
        param = document.message
        self.output, self.patience, self.min_delta = param.best, param.patience, param.min_delta
        self.score: float | None = None
        self.iteration = 0
        self.waited = 0
        lower = any(word in param.best.lower() for word in ("loss", "error")) or param.best in _ERRORS
        self.lower_is_better = lower if param.best_mode == param.AUTO else param.best_mode == param.MIN
        outputs = [{name: net.blobs[name].count for name in net.outputs} for net in test_nets]
        for names, own in zip(metrics, outputs, strict=False):
            own.update({among(own, name): 1 for name in names})
        if problem := best_problem(param.best, outputs):
            raise SolverError(f"solver: {problem.message}", place=document.place(*problem.path), hint=problem.hint)
        blob, bracket, _ = param.best.partition("[")
        self.net = next((i for i, names in enumerate(outputs) if blob in names), None)
        if bracket and self.net is not None and outputs[self.net][blob] == 1:
            self.output = blob  # its only element goes by its name

    def improved(self, net: int, iteration: int, scores: Mapping[str, float]) -> bool:
        """Count the test of net number `net`; True when it is the best so far."""
        if net != self.net or self.output not in scores:
            return False
        score = scores[self.output]
        gain = 0.0 if self.score is None else (self.score - score if self.lower_is_better else score - self.score)
        if self.score is not None and not gain > self.min_delta:
            self.waited += 1
            return False
        if score != score:  # NaN is never the best
            self.waited += 1
            return False
        self.score, self.iteration, self.waited = score, iteration, 0
        return True

    @property
    def exhausted(self) -> bool:
        """Whether `patience` tests have passed without a better one."""
        return bool(self.patience) and self.waited >= self.patience

    def save(self, state: ResumeState) -> None:
        if self.score is not None:
            state.best_score, state.best_iteration = self.score, self.iteration
        state.tests_without_gain = self.waited

    def restore(self, state: ResumeState) -> None:
        self.score = state.best_score if state.HasField("best_score") else None
        self.iteration, self.waited = state.best_iteration, state.tests_without_gain

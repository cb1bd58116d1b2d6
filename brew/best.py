"""The best test so far: which output is watched, whether a test bettered it, and how long ago (early stopping)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from brew.errors import SolverError, did_you_mean
from brew.net import Net
from brew.proto.brew_pb2 import ResumeState, SolverParameter
from brew.prototxt import Document


class Best:
    """Follows the test output `best`; the first test net that has it counts.

    `score` and `iteration` are those of the best test, None before the first; `waited` counts the tests since.
    """

    def __init__(self, document: Document[SolverParameter], test_nets: Sequence[Net]) -> None:
        param = document.message
        self.output, self.patience, self.min_delta = param.best, param.patience, param.min_delta
        self.score: float | None = None
        self.iteration = 0
        self.waited = 0
        lower = any(word in param.best.lower() for word in ("loss", "error"))
        self.lower_is_better = lower if param.best_mode == param.AUTO else param.best_mode == param.MIN
        blob = param.best.partition("[")[0]
        self.net = next((i for i, net in enumerate(test_nets) if blob in net.outputs), None)
        if param.best and self.net is None:
            outputs = sorted({name for net in test_nets for name in net.outputs})
            raise SolverError(
                f'solver: best is "{param.best}", which no test net puts out; outputs are {", ".join(outputs)}',
                place=document.place("best"), hint=did_you_mean(blob, outputs),
            )  # fmt: skip

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
        """Whether as many tests as `patience` brought nothing better."""
        return bool(self.patience) and self.waited >= self.patience

    def save(self, state: ResumeState) -> None:
        if self.score is not None:
            state.best_score, state.best_iteration = self.score, self.iteration
        state.tests_without_gain = self.waited

    def restore(self, state: ResumeState) -> None:
        self.score = state.best_score if state.HasField("best_score") else None
        self.iteration, self.waited = state.best_iteration, state.tests_without_gain

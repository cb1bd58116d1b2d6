"""The report of a solver's training: what it was, from the solver itself and from what it told."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from brew.errors import BrewError
from brew.layer import TEST
from brew.net.net import Net
from brew.proto.brew_pb2 import SolverParameter
from brew.prototxt import Document
from brew.reports.curves.reading import from_records, read_run
from brew.reports.curves.series import Run
from brew.reports.curves.ticks import duration
from brew.solver.metrics import Metrics
from brew.solver.solver import Solver
from brew.solver.training.config import NetChoice, SolverConfig

from .page import write
from .trained import Trained

log = logging.getLogger("brew")
_ENDS = {
    "": "reached its last iteration",
    "max_iter": "reached its last iteration",
    "patience": "stopped, as no test was better,",
    "max_time": "stopped, as its time was over,",
    "request": "was interrupted",
}


class Recorded:
    """A watcher of a solver that keeps its events, for a report at the end.

    Made where the solver begins (after a restore). With a file of metrics (`metrics`), the curves before a resume come
    from it.
    """

    def __init__(self, solver: Solver, metrics: str = "") -> None:
        self.solver, self._file = solver, metrics
        self.records: list[dict[str, Any]] = []
        solver.watch(Metrics(self, solver.iter))

    def write(self, line: bytes) -> None:
        """Take a line (brew.files.appended.Sink)."""
        self.records.append(json.loads(line))

    def run(self, name: str) -> Run:
        """The curves."""
        if self._file and Path(self._file).is_file():
            try:
                return read_run(self._file, name)
            except BrewError as error:
                log.warning("the report has no curves of before: %s", error)
        return from_records(self.records, name)


def report(
    recorded: Recorded, path: str | Path, *, stop: Callable[[], bool],
    progress: Callable[[str, int, int | None], None],
) -> None:  # fmt: skip
    """Write the report of a training that has ended. One that was interrupted is not tested once more."""
    solver = recorded.solver
    end: dict[str, Any] = next((record for record in reversed(recorded.records) if record["kind"] == "stop"), {})
    reason = end.get("reason", solver.stopped)
    run = recorded.run(solver.net.name or Path(solver.config.document.file).stem)
    spent, waited = end.get("seconds") or solver.seconds, end.get("data_wait_seconds", 0.0)
    facts = [("iterations", f"{solver.iter:,}"), ("time of this process", duration(spent))]
    if spent and solver.net.data_layers:
        facts.append(("of it waiting for data", f"{waited / spent:.1%}"))
    facts.append(("parameters", f"{solver.net.parameters.arena.size:,}"))
    if solver.best.score is not None:
        facts.append((f"best {solver.best.output}, iteration {solver.best.iteration}", f"{solver.best.score:.4g}"))
    average = solver.average
    trained = Trained(
        solver.config.document, solver.config.test_nets(), _test_maker(solver), solver.net, run,
        f"The training by {solver.config.document.file} {_ENDS.get(reason, reason)} after {solver.iter} iterations.",
        facts, average.averaged if average is not None else nullcontext, stop, progress,
        remarks=_on_waiting(solver, waited),
    )  # fmt: skip
    write(trained, path, test=reason not in ("request", "diverged"))


def _on_waiting(solver: Solver, waited: float) -> list[str]:
    """How long the training waited for data, and what would help where it was much."""
    layers = [layer for layer in solver.net.data_layers if layer.waited > 0]
    if not layers or not waited:
        return ["The training never waited for data."] if solver.net.data_layers else []
    worst = max(layers, key=lambda layer: layer.waited)
    help_ = f" What would help: {'; '.join(worst.hastened_by())}." if waited > 1 and worst.hastened_by() else ""
    return [f"The training waited {duration(round(waited, 2))} for data, most for {worst.name} ({worst.type}).{help_}"]


def _test_maker(solver: Solver) -> Callable[[NetChoice, Sequence[str]], Net]:
    def make(choice: NetChoice, keep: Sequence[str]) -> Net:
        return Net(
            choice.definition, TEST, states=choice.states, device=solver.device, seed=solver.seed, share=solver.net,
            keep=keep, forward_only=True,
        )  # fmt: skip

    return make


def report_weights(
    document: Document[SolverParameter], weights: str, run: Run, path: str | Path, *, device: str,
    progress: Callable[[str, int, int | None], None],
) -> None:  # fmt: skip
    """Write the report of weights that a solver has trained, with the curves of `run`."""
    config = SolverConfig(document)

    def make(choice: NetChoice, keep: Sequence[str]) -> Net:
        net = Net(choice.definition, TEST, states=choice.states, device=device, keep=keep, forward_only=True)
        try:
            net.copy_from(weights)
        except BrewError:
            net.close()
            raise
        return net

    status = f"{weights}, by {document.file}."
    tests = config.test_nets()
    run = replace(run, name=next((test.definition.net.shell.name for test in tests), "") or run.name)
    write(Trained(document, tests, make, None, run, status, progress=progress, strict=True), path)

"""`brew train`: train a net as a solver file says, from the start, from weights, or from a snapshot."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from brew.errors import DivergedError, UsageError
from brew.tools.parts.command import Choice, Command, Settings
from brew.tools.parts.gpu import device_for, gpu_option
from brew.tools.parts.net_options import engine_option, fuse_option, names, threads_option
from brew.tools.parts.output import Stdout
from brew.tools.parts.reporting import Reporting
from brew.tools.parts.signals import EFFECTS, handled

if TYPE_CHECKING:
    from brew.proto.brew_pb2 import SolverParameter
    from brew.prototxt import Document
    from brew.solver.solver import Solver

_log = logging.getLogger("brew")


@click.command(name="train", cls=Command)
@click.argument("file", required=False, metavar="[SOLVER]")
@click.option("--solver", metavar="FILE", help="The solver prototxt; it may stand without --solver too.")
@click.option("--weights", metavar="FILE[,FILE...]", help="Fine-tune from these weights.")
@click.option("--ignore-mismatched", is_flag=True, help="Leave layers whose weights have other shapes at their filler.")
@click.option("--snapshot", metavar="FILE", help="Resume from this .solverstate.")
@click.option("--resume", is_flag=True, help="Resume from the newest whole snapshot, or begin where there is none.")
@gpu_option
@threads_option
@engine_option
@fuse_option
@click.option("--choose", type=Choice(("rule", "measure")), help="How to choose between ways to compute a pass.")
@click.option("--set", "changes", multiple=True, metavar="FIELD=VALUE", help="Change a field of the solver.")
@click.option("--level", type=int, metavar="N", help="Level of the net's layer rules.")
@click.option("--stage", default="", metavar="NAME[,NAME...]", help="Stages of the net's layer rules.")
@click.option("--sigint-effect", type=Choice(EFFECTS), default="stop", help="What Ctrl-C does (stop).")
@click.option("--sighup-effect", type=Choice(EFFECTS), default="snapshot", help="What SIGHUP does (snapshot).")
@click.option("--data-from-start", is_flag=True, help="On resume, read the data from its beginning, as Caffe does.")
@click.option(
    "--reset-history", is_flag=True, help="On resume, begin momentum and the like anew (another solver type)."
)
@click.option("--max-memory", metavar="SIZE", help="Refuse nets that together need more than 8G or 500M.")
@click.option("--recompute", is_flag=True, default=None, help="Keep less for backward: less memory, more time.")
@click.option("--max-bad-records", type=click.IntRange(0), metavar="N", help="Pass over N records that are bad.")
@click.option("--max-time", metavar="TIME", help="Stop with a snapshot after 90m, 4h or 1d12h.")
@click.option("--metrics", metavar="FILE", help="Displays, tests and snapshots as lines of JSON (-: stdout).")
@click.option("--test-metrics", metavar="NAME[,NAME...]", help="Metrics of the test nets: f1, auc, ..., or all.")
@click.option("--report", is_flag=False, flag_value="", metavar="[FILE.html]", help="Write a page about the training.")
@click.option("--tensorboard", metavar="FOLDER", help="Write event files for TensorBoard.")
@click.pass_obj
def verb(
    settings: Settings,
    /,
    file: str | None,
    solver: str | None,
    weights: str | None,
    ignore_mismatched: bool,
    snapshot: str | None,
    resume: bool,
    gpu: str | None,
    choose: str | None,
    changes: tuple[str, ...],
    level: int | None,
    stage: str,
    sigint_effect: str,
    sighup_effect: str,
    data_from_start: bool,
    reset_history: bool,
    max_bad_records: int | None,
    report: str | None,
    **settings_of_solver: str | bool | None,
) -> int:
    """Train a net.

    Log lines go to stderr, in Caffe's form where it is not a terminal. Snapshots go where the solver's
    snapshot_prefix says.
    """
    if report and not report.endswith((".html", ".htm")) and file is None and solver is None:
        file, report = report, ""  # --report SOLVER
    solver = one_solver(file, solver)
    check_start(weights, snapshot, resume, ignore_mismatched)
    ordered = device_for(gpu)
    from brew import get_solver
    from brew.files import lock
    from brew.solver.training.config import snapshot_prefix

    changes = (*changes, f"choose={choose.upper()}") if choose is not None else changes
    document = configured(solver, changes, settings_of_solver)
    prefix = snapshot_prefix(document)
    reporting = Reporting(report, prefix)
    with lock.training(prefix):
        snapshot = newest(prefix) if resume else snapshot
        if snapshot or weights:
            document.message.weights[:] = [] if snapshot else names(weights or "")
        running = get_solver(
            document,
            device=ordered or wished_device(document),
            level=level,
            stages=names(stage),
            data_from_start=data_from_start,
            reset_history=reset_history,
            ignore_mismatched=ignore_mismatched,
            max_bad_records=max_bad_records,
            keep=(),
        )
        with contextlib.closing(running):
            return _train(running, solver, snapshot, settings, (sigint_effect, sighup_effect), reporting)


def one_solver(file: str | None, solver: str | None) -> str:
    """The solver's file, given with --solver or without; UsageError where there is none, or two."""
    if file is not None and solver is not None:
        raise UsageError(f"two solvers are given: {file} and --solver {solver}", hint="give one of them")
    given = file if solver is None else solver
    if given is None:
        raise UsageError(
            "Missing option '--solver': a solver is needed, as in brew train SOLVER",
            hint='"brew train --help" lists the options',
        )
    return given


def _train(
    running: Solver, solver: str, snapshot: str | None, settings: Settings, effects: tuple[str, str],
    reporting: Reporting,
) -> int:  # fmt: skip
    """Train until the end or a signal; the exit code."""
    from brew.solver.training.events import Snapshotted, Tested
    from brew.tools.parts.farewell import Farewell
    from brew.tools.parts.live import Results, watch

    results, farewell = Results(), Farewell(solver, running.param)
    running.watch(results, Tested)
    running.watch(farewell, Snapshotted)
    with handled(running, *effects, own_process=settings.own_process) as signals:
        try:
            with watch(running, settings) as seen:
                if snapshot:
                    _say(235, f"Resuming from {snapshot}")
                    if settings.terminal:  # where Caffe's own lines are left to log files
                        _log.info("going on from %s", snapshot)
                    running.restore(snapshot)
                record(running, snapshot)
                reporting.begin(running)
                _say(239, "Starting Optimization")
                running.solve()
                if signals.exit_code and not running.param.snapshot_after_train:
                    running.snapshot()  # stopped by a signal, there is one whatever the file says
        except DivergedError:
            reporting.end(signals, settings)
            raise
        reporting.end(signals, settings)
    farewell.say(done=not running.stopped)
    if not seen and not signals.reader_gone and not _to_stdout(running.param):
        results.print()
    return signals.exit_code


def configured(
    solver: str, changes: Sequence[str], settings: Mapping[str, str | bool | None]
) -> Document[SolverParameter]:
    """The solver file with the command line's changes; what is set in `settings` goes to the fields of these names."""
    from brew import prototxt
    from brew.proto.brew_pb2 import SolverParameter

    document = prototxt.read(solver, SolverParameter)
    prototxt.override_all(document.message, changes)
    for field, value in settings.items():
        if value is not None:
            setattr(document.message, field, value)
    return document


def newest(prefix: str) -> str | None:
    """The newest whole snapshot under `prefix`; logs why newer ones are not whole."""
    from brew.solver.snapshots import latest

    newest = latest.newest(prefix)
    for skipped in newest.skipped:
        _log.warning("%s is passed by: %s", skipped.state, skipped.reason)
    if newest.found is None:
        _log.info("There is no whole snapshot %s_iter_*: training begins at the start.", prefix)
        return None
    return str(newest.found.state)


def record(running: Solver, resumed: str | None = None) -> None:
    """Record metrics and events as the options ask, from the solver's present iteration on.

    `resumed` is the solver state it was resumed from.
    """
    param = running.param
    if param.metrics:
        from brew.solver.metrics import Metrics

        running.watch(Metrics(Stdout() if _to_stdout(param) else param.metrics, running.iter, resumed))
    if param.tensorboard:
        from brew.solver.tensorboard import TensorBoard

        running.watch(TensorBoard(param.tensorboard, running.iter))


def _to_stdout(param: SolverParameter) -> bool:
    """Whether the metrics go to stdout, to which nothing else is printed then."""
    return param.metrics in ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")


def wished_device(document: Document[SolverParameter]) -> str:
    """The device a solver file asks for: a wish, and CPU where it is silent, as with Caffe's command."""
    from brew import cuda

    param = document.message
    named = param.HasField("solver_mode")
    if not named or param.solver_mode == param.GPU:  # an order for the CPU does not load CuPy
        reason = cuda.why_not()
        if reason is None and named:
            cuda.use_device(param.device_id)
            _say(204, f"Using GPUs {param.device_id}")
            return "cuda"
        if reason is None:
            _log.info("This machine has a GPU; --gpu 0 trains on it.")
        elif named:
            _log.warning("%s: solver_mode is GPU, but %s", document.place("solver_mode"), reason)
    _say(197, "Use CPU.")
    return "cpu"


def _say(line: int, text: str) -> None:
    _log.info("%s", text, extra={"glog": f"caffe.cpp:{line}"})


def check_start(weights: str | None, snapshot: str | None, resume: bool, ignore_mismatched: bool = False) -> None:
    """UsageError for two starting points, or for one file given in the place of the other."""
    if snapshot and resume:
        raise UsageError(
            "--snapshot and --resume cannot be given together",
            hint="--snapshot names what to resume from; --resume finds the newest snapshot by itself",
        )
    if weights and snapshot:
        raise UsageError(
            "--weights and --snapshot cannot be given together",
            hint="--snapshot resumes a training where it stopped; --weights starts a new one from weights",
        )
    if snapshot and ignore_mismatched:
        raise UsageError(
            "--ignore-mismatched is for --weights: a snapshot holds the history of the net that it was taken of",
            hint="--weights with the snapshot's .caffemodel starts a new training from what fits",
        )
    if snapshot and snapshot.endswith((".caffemodel", ".caffemodel.h5")):
        state = snapshot.replace(".caffemodel", ".solverstate")
        beside = f": {state}" if Path(state).is_file() else ""
        raise UsageError(
            f"--snapshot {snapshot}: these are weights, not a solver's state",
            hint=f"resume from the .solverstate written with them{beside}, or fine-tune with --weights",
        )
    for name in (weights or "").split(","):
        if name.endswith((".solverstate", ".solverstate.h5")):
            raise UsageError(
                f"--weights {name}: this is a solver's state, not weights",
                hint="resume from it with --snapshot; the weights are in the .caffemodel beside it",
            )

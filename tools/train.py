"""`brew train`: train a net as a solver file says, from the start, from weights, or from a snapshot."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from brew.errors import UsageError

from .command import Choice, Command, Settings
from .gpu import device_for, gpu_option
from .net_options import names
from .signals import EFFECTS, handled

_log = logging.getLogger("brew")


@click.command(name="train", cls=Command)
@click.option("--solver", required=True, metavar="FILE", help="The solver prototxt.")
@click.option("--weights", metavar="FILE[,FILE...]", help="Fine-tune from these .caffemodel files.")
@click.option("--snapshot", metavar="FILE", help="Resume from this .solverstate.")
@gpu_option
@click.option("--set", "changes", multiple=True, metavar="FIELD=VALUE", help="Change a field of the solver.")
@click.option("--level", type=int, default=0, metavar="N", help="Level of the net's layer rules.")
@click.option("--stage", default="", metavar="NAME[,NAME...]", help="Stages of the net's layer rules.")
@click.option("--sigint-effect", type=Choice(EFFECTS), default="stop", help="What Ctrl-C does (stop).")
@click.option("--sighup-effect", type=Choice(EFFECTS), default="snapshot", help="What SIGHUP does (snapshot).")
@click.option("--data-from-start", is_flag=True, help="On resume, read the data from its beginning, as Caffe does.")
@click.pass_obj
def verb(
    settings: Settings,
    solver: str,
    weights: str | None,
    snapshot: str | None,
    gpu: str | None,
    changes: tuple[str, ...],
    level: int,
    stage: str,
    sigint_effect: str,
    sighup_effect: str,
    data_from_start: bool,
) -> int:
    """Train a net.

    Log lines go to stderr, in Caffe's form where it is not a terminal. Snapshots go where the solver's
    snapshot_prefix says.
    """
    check_start(weights, snapshot)
    device = device_for(gpu)
    from brew import get_solver

    from .live import Results, watch

    running = get_solver(
        solver,
        device=device,
        overrides=list(changes),
        level=level,
        stages=names(stage),
        weights=[] if snapshot else names(weights or "") or None,
    )
    results = Results()
    running.watch(results)
    with handled(running, sigint_effect, sighup_effect) as signals, watch(running, settings):
        if snapshot:
            _log.info("Resuming from %s", snapshot, extra={"glog": "caffe.cpp:235"})
            running.restore(snapshot, data_from_start=data_from_start)
        _log.info("Starting Optimization", extra={"glog": "caffe.cpp:239"})
        running.solve()
    if not signals.exit_code:
        results.print()
    return signals.exit_code


def check_start(weights: str | None, snapshot: str | None) -> None:
    """Refuse starts that cannot be meant: two of them, or the one file in the other's place."""
    if weights and snapshot:
        raise UsageError(
            "--weights and --snapshot cannot be given together",
            hint="--snapshot resumes a training where it stopped; --weights starts a new one from weights",
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

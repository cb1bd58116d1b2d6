"""`brew`: the group of verbs. Only this module prints errors and turns them into exit codes.

Imports click and nothing heavy; a verb's module is imported when it is named, not for help, and imports the rest
inside its body.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence

import click

from brew import __version__
from brew.tools.parts.command import Group, Listed, Settings
from brew.tools.parts.output import echo, silence
from brew.tools.parts.report import INTERNAL_BUG, as_brew_error, block, save_traceback

INTERRUPTED = 130
CAFFES_PROGRAMS = {
    "convert_imageset": "Make a database of a list of images.",
    "compute_image_mean": "Compute the mean image of a database.",
    "extract_features": "Write the values of blobs for every record.",
    "parse_log": "Make tables of a training's log.",
    "plot_training_log": "Draw a chart of training logs.",
    "resize_and_crop_images": "Make squares of images, in another folder.",
    "classify": "Write the scores of a net for images.",
    "detect": "Write the scores of a net for windows of images.",
    "draw_net": "Draw a net as a picture.",
}
CAFFES_UPGRADES = ("upgrade_net_proto_text", "upgrade_net_proto_binary", "upgrade_solver_proto_text")


@click.group(
    cls=Group,
    lazy={
        "train": Listed("brew.tools.train", help="Train a net."),
        "test": Listed("brew.tools.test", help="Score a net: average its outputs over batches."),
        "time": Listed("brew.tools.time", help="Time a net's steps."),
        "run": Listed("brew.tools.run", help="Run a Python script that says `import caffe`."),
        "check": Listed("brew.tools.check", "Find every problem of nets, solvers and weights."),
        "devices": Listed("brew.tools.devices", "Say what computes: the CPU, and which GPUs."),
        "device_query": Listed("brew.tools.devices"),
        "data": Listed("brew.tools.data", help="Fetch, write and check data sets."),
        "layers": Listed("brew.tools.layers", "List the layer types, or tell all about one."),
        "show": Listed("brew.tools.show", "Show a net as a table: shapes, parameters, memory."),
        "plot": Listed("brew.tools.plot", "Draw the curves of trainings: loss, accuracy, learning rate."),
        "report": Listed("brew.tools.report", "Write a page about a training: curves, results, mistakes."),
        "deploy": Listed("brew.tools.deploy", "Make the deploy net of a net or solver."),
        "diff": Listed("brew.tools.diff", "Compare two nets, solvers, weights or solver states."),
        "upgrade": Listed("brew.tools.upgrade", help="Write old nets and solvers in today's format."),
        **{name: Listed(f"brew.tools.programs.{name}", line) for name, line in CAFFES_PROGRAMS.items()},
        **dict.fromkeys(CAFFES_UPGRADES, Listed("brew.tools.upgrade")),
    },
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "BREW"},
    epilog='Caffe\'s spellings work too: "brew train -solver=solver.prototxt -gpu 0".',
)
@click.version_option(__version__, prog_name="brew")
def brew() -> None:
    """A Caffe for today: train, test and time networks written as prototxt."""


@brew.command(name="help", hidden=True)
@click.argument("verbs", nargs=-1)
@click.pass_context
def help_on(ctx: click.Context, verbs: tuple[str, ...]) -> None:
    """`brew help VERB` is `brew VERB --help`."""
    brew.main([*verbs, "--help"], prog_name="brew", standalone_mode=False, obj=ctx.obj)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code (docs/command-line.md lists the codes)."""
    settings = Settings(own_process=argv is None)
    warnings.filterwarnings("ignore", module=r"PIL\.")  # what Pillow thinks of a file's metadata, without its name
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller of the process
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
    try:
        code = brew.main(argv, prog_name="brew", standalone_mode=False, obj=settings)
        sys.stdout.flush()
    except (KeyboardInterrupt, click.Abort):
        code = INTERRUPTED
    except BrokenPipeError:
        _silence()
        code = 1
    except Exception as error:  # a bug is reported in one line too
        code = explain(error, settings)
    sys.exit(code if isinstance(code, int) else 0)


def explain(error: Exception, settings: Settings) -> int:
    """Print the error to stderr and give its exit code, also where stderr takes no more (a full disk)."""
    known = as_brew_error(error)
    try:
        if settings.traceback:
            _show_traceback(error)
        if known is not None:
            echo(block(known, colour=settings.colour), err=True, styled=True)
        else:
            _own_up(error, settings)
    except OSError:
        _silence()
    return known.exit_code if known is not None else INTERNAL_BUG


def _show_traceback(error: Exception) -> None:
    import traceback

    for piece in traceback.format_exception(error):
        frame = piece.startswith("  ")  # its place and a line of code; other pieces are messages
        echo(piece.rstrip("\n"), err=True, lines=frame)


def _own_up(error: Exception, settings: Settings) -> None:
    """Print one line on a bug, and the file with the traceback."""
    what = "; ".join(f"{type(error).__name__}: {error}".splitlines())
    echo(f"internal error: {what}", err=True)
    if not settings.traceback:
        saved = save_traceback(error)
        where = f"the traceback was saved in {saved}" if saved else "--traceback shows where"
        echo(f"  = this is a bug in Brew; {where}", err=True)


def _silence() -> None:
    silence(sys.stdout, sys.stderr)

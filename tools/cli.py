"""`brew`: the group of verbs. Only this module prints errors and turns them into exit codes.

Imports click and nothing heavy; a verb's module is imported when it is named, and imports the rest inside its body.
"""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Sequence

import click

from brew import __version__
from brew.tools.parts.command import Group, Settings
from brew.tools.parts.output import echo, silence
from brew.tools.parts.report import INTERNAL_BUG, as_brew_error, block, save_traceback
from brew.tools.parts.signals import Process

INTERRUPTED = 130
CAFFES_PROGRAMS = (
    "convert_imageset",
    "compute_image_mean",
    "extract_features",
    "parse_log",
    "plot_training_log",
    "resize_and_crop_images",
    "classify",
    "detect",
    "draw_net",
)
CAFFES_UPGRADES = ("upgrade_net_proto_text", "upgrade_net_proto_binary", "upgrade_solver_proto_text")


@click.group(
    cls=Group,
    lazy={
        "train": "brew.tools.train",
        "test": "brew.tools.test",
        "time": "brew.tools.time",
        "run": "brew.tools.run",
        "check": "brew.tools.check",
        "devices": "brew.tools.devices",
        "device_query": "brew.tools.devices",
        "data": "brew.tools.data",
        "layers": "brew.tools.layers",
        "show": "brew.tools.show",
        "plot": "brew.tools.plot",
        "report": "brew.tools.report",
        "deploy": "brew.tools.deploy",
        "diff": "brew.tools.diff",
        "upgrade": "brew.tools.upgrade",
        **{name: f"brew.tools.programs.{name}" for name in CAFFES_PROGRAMS},
        **dict.fromkeys(CAFFES_UPGRADES, "brew.tools.upgrade"),
    },
    hidden_names=("device_query", *CAFFES_UPGRADES),
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
    settings = Settings()
    Process.ours = argv is None
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

"""`brew draw_net`: a net as a picture, with the flags of Caffe's draw_net.py."""

from __future__ import annotations

from pathlib import Path

import click

from brew.tools.parts.command import Choice, Command
from brew.tools.parts.output import echo

_LONG = 60  # layers from which on copies of a block are drawn once


@click.command(name="draw_net", cls=Command)
@click.argument("source", metavar="NET")
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--rankdir", type=Choice(("TB", "BT", "LR", "RL")), default="LR", help="Where the net goes (LR).")
@click.option("--phase", type=Choice(("TRAIN", "TEST", "ALL")), default="ALL", help="Whose layers (ALL).")
@click.option("--display-lrm", is_flag=True, help="Write the learning rate multipliers of layers.")
@click.option("--repeats/--no-repeats", default=None, help=f"Draw copies of a block once (over {_LONG} layers).")
@click.option("--overwrite", is_flag=True, help="Replace a picture that Brew did not draw.")
def verb(
    source: str, out: Path, rankdir: str, phase: str, display_lrm: bool, repeats: bool | None, overwrite: bool
) -> None:
    """Draw the layers of NET, a net or a solver, in OUT: .svg, .png or another image.

    A layer is a card with what it does and with what runs in place on its top. A long net is folded into columns, or
    rows where it goes sideways, and blocks that follow one another unchanged, as those of a ResNet, are drawn once.
    Graphviz is not needed; .pdf and .dot are written through pydot where that is installed.
    """
    from brew.caffe import draw
    from brew.files.atomic import replacing
    from brew.files.overwriting import Kind, check
    from brew.layer import TEST, TRAIN
    from brew.reports.drawing import png, svg
    from brew.reports.drawing.files import picture_kind
    from brew.solver.net_file import read_net

    ending = out.suffix.lower().removeprefix(".")
    is_ours = ending == "svg" or ending in png.KINDS
    mark = svg.END if ending == "svg" else png.SOFTWARE
    kind = picture_kind(ending, mark) if is_ours else Kind("a drawing", lambda path: False)
    check(out, kind, overwrite=overwrite)
    number = {"TRAIN": TRAIN, "TEST": TEST}.get(phase)
    net = read_net(source, TRAIN if number is None else number).definition.net.message()
    once = len(net.layer) > _LONG if repeats is None else repeats
    echo(f"Drawing net to {out}")
    drawn = draw.draw_net(net, rankdir, ending, number, display_lrm, once)
    with replacing(out, kind, overwrite=overwrite) as temporary:
        temporary.write_bytes(drawn)

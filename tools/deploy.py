"""`brew deploy`: the net for use, from the net for training."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import click

from brew.errors import UsageError
from brew.tools.parts.command import Command
from brew.tools.parts.net_options import names, parse_shapes, shape_option, state_options
from brew.tools.parts.output import echo

if TYPE_CHECKING:
    from brew.layer import Shape
    from brew.reports.summary import Summary

_log = logging.getLogger("brew")


@click.command(name="deploy", cls=Command)
@click.argument("source", metavar="TRAIN_VAL")
@click.argument("target", metavar="OUT")
@state_options
@shape_option("Shape of an input, in place of the data's own.")
@click.option("--batch", type=click.IntRange(min=1), metavar="N", help="First axis of every input (1).")
@click.option("--overwrite", is_flag=True, help="Replace OUT, a net, where Brew did not write it.")
@click.option("--auxiliary", is_flag=True, help="Keep heads whose loss weighs less than another of the same labels.")
@click.option("--input-fields", is_flag=True, help="Inputs as the net's input and input_dim, for old readers.")
def verb(
    source: str,
    target: str,
    level: int | None,
    stage: str,
    shapes: tuple[str, ...],
    batch: int | None,
    auxiliary: bool,
    overwrite: bool,
    input_fields: bool,
) -> None:
    """Make the deploy net of a net or solver, and write it to OUT ("-" is stdout).

    Data layers become one Input each, of the size after the crop; SoftmaxWithLoss becomes a Softmax named "prob",
    SigmoidCrossEntropyLoss a Sigmoid; other losses, accuracies, labels, auxiliary heads and all that only they need
    go, and so do fillers, learning rates and rules. What training did to its data is written as a comment. Layers keep
    their names, so that the weights fit. What stands at OUT is replaced where it is a deploy net of Brew's.
    """
    given = parse_shapes(shapes)
    if target != "-" and Path(target).resolve() == Path(source).resolve():
        raise UsageError(f"{target} would be overwritten: give the deploy net a file of its own")
    from brew.files.atomic import replacing
    from brew.graph.rewriting.deploy import NET_KIND, deploy
    from brew.layer import TEST, shape_text
    from brew.reports.summary import summarise
    from brew.solver.net_file import read_net

    net = read_net(source, TEST)
    made = deploy(
        net.definition, states=net.states, level=level, stages=names(stage), shapes=given, batch=batch,
        auxiliary=auxiliary, input_fields=input_fields,
    )  # fmt: skip
    for text in made.assumed:
        _log.warning("assumed: %s", text)
    text = made.text(Path(source).name)
    summary = summarise(made.net, TEST)  # a net that would not run is not written
    if target == "-":
        echo(text, nl=False, lines=True)
        return
    with replacing(target, NET_KIND, overwrite=overwrite) as temporary:
        temporary.write_text(text, "utf-8")
    starts = {name: shape for layer in summary.layers if not layer.bottoms for name, shape in layer.tops}
    for word, blobs in (("takes", starts), ("gives", _ends(summary))):
        echo(f"{target} {word} " + ", ".join(f"{name} ({shape_text(shape)})" for name, shape in blobs.items()))


def _ends(summary: Summary) -> dict[str, Shape]:
    """The blobs that no layer reads, or none after the one that made them anew in place."""
    ends: dict[str, Shape] = {}
    for layer in summary.layers:
        for name in layer.bottoms:
            ends.pop(name, None)
        ends |= dict(layer.tops)
    return ends

"""`brew test`: run a net in its TEST phase over batches and average its outputs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import click

from brew.tools.parts.command import Command, Settings
from brew.tools.parts.gpu import device_for, gpu_option
from brew.tools.parts.live import bar
from brew.tools.parts.net_options import engine_option, fuse_option, names, net_options, threads_option
from brew.tools.parts.output import echo

if TYPE_CHECKING:
    from brew.net.net import Net

_log = logging.getLogger("brew")


@click.command(name="test", cls=Command)
@net_options
@click.option("--weights", required=True, metavar="FILE[,FILE...]", help="Weights (.caffemodel, .h5, .safetensors).")
@click.option("--ignore-mismatched", is_flag=True, help="Leave layers whose weights have other shapes at their filler.")
@gpu_option
@threads_option
@engine_option
@fuse_option
@click.pass_obj
def verb(
    settings: Settings,
    model: str,
    weights: str,
    ignore_mismatched: bool,
    iterations: int,
    gpu: str | None,
    level: int | None,
    stage: str,
) -> None:
    """Score a net: average its outputs over batches.

    The averages go to stdout; a log in Caffe's form, with every batch, to stderr where that is not a terminal.
    """
    device = device_for(gpu) or "cpu"
    from brew.layer import TEST
    from brew.net.net import Net

    _log.info("Use GPU." if device == "cuda" else "Use CPU.", extra={"glog": "caffe.cpp:275"})
    net = Net(model, phase=TEST, level=level, stages=names(stage), device=device, keep=(), forward_only=True)
    try:
        net.copy_from(weights, ignore_mismatched=ignore_mismatched)
        if net.inputs:
            _log.warning("%s: an input without data stays 0; such scores say nothing", ", ".join(net.inputs))
        for line in score(net, iterations, settings):
            echo(line)
    finally:
        net.close()


def score(net: Net, iterations: int, settings: Settings) -> list[str]:
    """Caffe's closing lines: `Loss: v`, then `name = v (* w = wv loss)` for the elements of every output."""
    from brew.net.outputs import Means, left_out, shown

    _log.info("Running for %d iterations.", iterations, extra={"glog": "caffe.cpp:281"})
    loss, means = 0.0, Means()
    with bar(settings) as progress:
        for batch in range(iterations):
            net.run_forward()
            loss += net.loss()
            outputs = net.output_values()
            means.add(outputs)
            for name, values, _ in outputs:
                for value in shown(values):
                    _log.info("Batch %d, %s = %.6g", batch, name, value, extra={"glog": "caffe.cpp:304"})
            progress("batches", batch + 1, iterations)
    lines = [f"Loss: {loss / iterations:.6g}"]
    for name, values, weight in means.outputs():
        for mean in shown(values):
            share = f" (* {weight:.6g} = {weight * mean:.6g} loss)" if weight else ""
            lines.append(f"{name} = {mean:.6g}{share}")
        lines += [note] if (note := left_out(name, values.size)) else []
    for number, line in enumerate(lines):
        _log.info("%s", line, extra={"glog": "caffe.cpp:321" if number else "caffe.cpp:309"})
    return lines

"""`brew test`: run a net in its TEST phase over batches and average its outputs."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from brew.errors import UsageError
from brew.tools.parts.command import Choice, Command, Settings
from brew.tools.parts.gpu import device_for, gpu_option
from brew.tools.parts.live import bar
from brew.tools.parts.metrics import facts, metric_lines
from brew.tools.parts.net_options import engine_option, fuse_option, names, net_options, threads_option
from brew.tools.parts.output import echo

if TYPE_CHECKING:
    from brew.net.net import Net
    from brew.prototxt.placed import PlacedLayer
    from brew.solver.scoring.scoring import Scoring

_log = logging.getLogger("brew")


@click.command(name="test", cls=Command)
@net_options
@click.option("--weights", required=True, metavar="FILE[,FILE...]", help="Weights (.caffemodel, .h5, .safetensors).")
@click.option("--ignore-mismatched", is_flag=True, help="Leave layers whose weights have other shapes at their filler.")
@click.option("--metrics", default="", metavar="NAME[,NAME...]", help="f1, auc, mean_iou, ..., per_class, or all.")
@click.option("--scores", metavar="BLOB", help="Metrics: the blob with the scores (that of the loss or Accuracy).")
@click.option("--labels", metavar="BLOB", help="Metrics: the blob with the labels.")
@click.option("--task", type=Choice(("classes", "labels", "values")), help="Metrics: how to compare them.")
@gpu_option
@threads_option
@engine_option
@fuse_option
@click.option("--json", "as_json", is_flag=True, help="End stdout with one JSON object.")
@click.pass_obj
def verb(
    settings: Settings,
    model: str,
    weights: str,
    ignore_mismatched: bool,
    metrics: str,
    scores: str | None,
    labels: str | None,
    task: str | None,
    iterations: int,
    gpu: str | None,
    level: int | None,
    stage: str,
    as_json: bool,
) -> None:
    """Score a net: average its outputs over batches.

    The averages go to stdout; a log in Caffe's form, with every batch, to stderr where that is not a terminal.
    --metrics adds metrics with names, computed from the scores and labels that the net's loss or Accuracy compares.
    """
    device = device_for(gpu) or "cpu"
    from brew.graph.definition import define
    from brew.layer import TEST
    from brew.net.net import Net
    from brew.solver.scoring.finding import layers_of

    _log.info("Use GPU." if device == "cuda" else "Use CPU.", extra={"glog": "caffe.cpp:275"})
    definition = define(model)
    layers = layers_of(definition, level=level, stages=names(stage))
    scoring = wanted_scoring(layers, metrics, scores, labels, task)
    keep = scoring.blobs if scoring else ()
    net = Net(definition, phase=TEST, level=level, stages=names(stage), device=device, keep=keep, forward_only=True)
    try:
        net.copy_from(weights, ignore_mismatched=ignore_mismatched)
        if net.inputs:
            _log.warning("%s: an input without data stays 0; such scores say nothing", ", ".join(net.inputs))
        lines, outputs = score(net, iterations, settings, scoring)
        for line in [*lines, *(metric_lines(scoring, layers, metric_names(metrics)) if scoring else [])]:
            echo(line)
        if as_json:
            echo(json.dumps(facts(scoring, outputs, layers)))
    finally:
        net.close()


def metric_names(metrics: str) -> list[str]:
    """The metrics of --metrics; all where it is not given."""
    from brew.solver.scoring import names as known

    return known.listed(metrics) or ["all"]


def wanted_scoring(
    layers: Sequence[PlacedLayer], metrics: str, scores: str | None, labels: str | None, task: str | None
) -> Scoring | None:
    """The metrics that the options ask for; None where they ask for none."""
    from brew.solver.scoring.finding import scoring_of
    from brew.solver.scoring.heads import named_head
    from brew.solver.scoring.scoring import Scoring

    if (scores is None) != (labels is None):
        raise UsageError("--scores and --labels are given together, or neither")
    if task and scores is None:
        raise UsageError("--task says how --scores and --labels are compared; they are missing")
    if not metrics.strip(" ,") and scores is None:
        return None
    asked = metric_names(metrics)
    if scores is not None and labels is not None:
        return Scoring([named_head(layers, scores, labels, task)], asked)
    found = scoring_of(layers, asked)
    if found is None:
        raise UsageError(
            "--metrics: no loss and no Accuracy of this net compares scores with labels",
            hint="--scores BLOB --labels BLOB name them, --task how they are compared",
        )
    return found


def score(
    net: Net, iterations: int, settings: Settings, scoring: Scoring | None = None
) -> tuple[list[str], dict[str, float]]:
    """Caffe's closing lines: `Loss: v`, then `name = v (* w = wv loss)` for the elements of every output; and these
    means by name, and the loss."""
    from brew.net.outputs import Means, by_name, left_out, shown

    _log.info("Running for %d iterations.", iterations, extra={"glog": "caffe.cpp:281"})
    loss, means = 0.0, Means()
    if scoring is not None:
        scoring.begin(net)
    with bar(settings) as progress:
        for batch in range(iterations):
            net.run_forward()
            loss += net.loss()
            outputs = net.output_values()
            means.add(outputs)
            if scoring is not None:
                scoring.add(net)
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
    return lines, {"Loss": loss / iterations, **by_name(means.outputs())}

"""`brew time`: how long a step of a net takes, whole and layer by layer."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import click

from brew.plain_text import one_line
from brew.tools.parts.command import Choice, Command, Settings
from brew.tools.parts.gpu import device_for, gpu_option
from brew.tools.parts.live import bar
from brew.tools.parts.net_options import (
    engine_option,
    fuse_option,
    names,
    net_options,
    parse_shapes,
    shape_option,
    threads_option,
)
from brew.tools.parts.output import echo

if TYPE_CHECKING:
    from brew.net.net import Net
    from brew.tools.parts.stopwatch import Times

_log = logging.getLogger("brew")


@click.command(name="time", cls=Command)
@net_options
@click.option(
    "--weights", metavar="FILE", help="Weights (.caffemodel, .h5, .safetensors), for data that depends on them."
)
@gpu_option
@threads_option
@engine_option
@fuse_option
@click.option("--phase", type=Choice(("TRAIN", "TEST")), default="TRAIN", help="The net's phase (TRAIN).")
@click.option("--mode", type=Choice(("train", "forward")), help="What a step is (train, or forward without a loss).")
@shape_option("Constant data in place of a data layer.")
@click.option("--json", "as_json", is_flag=True, help="End stdout with one JSON object.")
@click.pass_obj
def verb(
    settings: Settings,
    model: str,
    weights: str | None,
    iterations: int,
    gpu: str | None,
    level: int | None,
    stage: str,
    phase: str,
    mode: str | None,
    shapes: tuple[str, ...],
    as_json: bool,
) -> None:
    """Time a net's steps.

    A step is forward, backward and an update (SGD, momentum 0.9, decay 5e-4), or forward alone: with --mode forward,
    and where the net has no loss, as deploy nets have none. It is timed whole, after two steps to warm up; then forward
    and backward of every layer on their own.
    """
    given = parse_shapes(shapes)
    device = device_for(gpu) or "cpu"
    from brew.layer import TEST, TRAIN
    from brew.net.net import Net
    from brew.tools.parts import stopwatch

    resident = stopwatch.resident_mib()
    make = partial(
        Net, model, phase=TRAIN if phase == "TRAIN" else TEST, weights=weights, level=level, stages=names(stage),
        device=device, shapes=given or None, keep=(),
    )  # fmt: skip
    with bar(settings, still=True) as progress:
        name, mode, times = _timed(make, mode, iterations, progress)
    log_as_caffe(times)
    for line in table(times):
        echo(line)
    if as_json:
        facts = {"net": name, "mode": mode, "phase": phase, "device": device, **times.facts()}
        facts |= {"peak_rss_mib": round(stopwatch.peak_mib(), 1), "rss_after_import_mib": round(resident, 1)}
        echo(json.dumps(facts | {"layers": times.layer_facts()}))


def _timed(
    make: Callable[..., Net], mode: str | None, iterations: int, progress: Callable[[str, int, int | None], None]
) -> tuple[str, str, Times]:
    """Net's name, mode and times. Without a mode, forward alone of a net that has nothing to train."""
    from brew.tools.parts import stopwatch

    net = make(forward_only=mode == "forward")
    try:
        if mode is None and not stopwatch.learns(net):
            _log.warning('net "%s" has no loss: forward alone is timed (--mode forward)', net.name)
            net.close()
            mode, net = "forward", make(forward_only=True)
        if net.inputs:
            _log.info("%s: no data comes there; it is filled with random values", ", ".join(net.inputs))
        stopwatch.fill_inputs(net)
        return net.name, mode or "train", stopwatch.measure(net, iterations, train=mode != "forward", progress=progress)
    finally:
        net.close()


def log_as_caffe(times: Times) -> None:
    """Log the lines of `caffe time`, for tools that parse them."""

    def say(line: int, text: str) -> None:
        _log.info("%s", text, extra={"glog": f"caffe.cpp:{line}", "lines": True})  # with the tabs of Caffe's

    say(365, "*** Benchmark begins ***")
    say(366, f"Testing for {len(times.steps)} iterations.")
    say(397, "Average time per layer: ")
    for layer in times.layers:
        say(400, f"{one_line(layer.name):>10}\tforward: {layer.forward:.6g} ms.")
        say(403, f"{one_line(layer.name):>10}\tbackward: {layer.backward:.6g} ms.")
    say(408, f"Average Forward pass: {times.forward:.6g} ms.")
    say(410, f"Average Backward pass: {times.backward:.6g} ms.")
    say(412, f"Average Forward-Backward: {times.forward + times.backward:.6g} ms.")
    say(414, f"Total Time: {sum(times.steps):.6g} ms.")
    say(415, "*** Benchmark ends ***")


def table(times: Times) -> list[str]:
    """The figures for people: milliseconds, layer by layer and in all."""
    width = max([len(one_line(layer.name)) for layer in times.layers] + [8])
    row: Callable[..., str] = f"{{:<{width}}}  {{:<18}}  {{:>10}}  {{:>10}}".format
    lines = [row("layer", "type", "forward ms", "backward ms")]
    lines += [row(one_line(x.name), x.type, f"{x.forward:.3f}", f"{x.backward:.3f}") for x in times.layers]
    lines.append(row("layers", "", f"{times.forward:.3f}", f"{times.backward:.3f}"))
    lines.append(f"update {times.update:.3f} ms")
    facts = times.facts()
    lines.append(
        f"step: median {facts['ms_median']:.3f} ms, fastest {facts['ms_min']:.3f} ms of {len(times.steps)}; "
        f"{facts['images_per_s']:,.0f} images/s in batches of {times.batch}"
    )
    if times.reads:
        lines.append(f"waiting for data: {times.waited:.3f} ms of a step")
    return lines

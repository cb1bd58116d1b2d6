"""Draws rates.svg from brew.solver.training.learning_rate itself: python docs/images/rates.py (needs matplotlib)."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("svg")
from google.protobuf import text_format
from matplotlib import pyplot

from brew.proto.brew_pb2 import SolverParameter
from brew.solver.training.learning_rate import RateSchedule

LENGTH = 1000
FALLING = "gamma: 0.4 stepvalue: 250 stepvalue: 500 stepvalue: 800"
POLICIES = {  # title: fields besides base_lr: 1 max_iter: 1000
    "fixed": "",
    "step": "gamma: 0.5 stepsize: 200",
    "multistep": FALLING,
    "exp": "gamma: 0.997",
    "inv": "gamma: 0.01 power: 0.75",
    "poly": "power: 2",
    "sigmoid": "gamma: -0.015 stepsize: 500",
    "plateau": "gamma: 0.4 plateau_winsize: 100 plateau_winsize: 150",
    "multifixed": "stagelr: 0.3 stageiter: 200 stagelr: 1 stageiter: 600 stagelr: 0.1 stageiter: 1000",
    "cosine": "",
    "cosine: cycle_iter, cycle_mult": "cycle_iter: 143 cycle_mult: 2",
    "onecycle": "",
    "multistep: warmup_iter": f"{FALLING} warmup_iter: 150 warmup_start_lr: 0.1",
    "multistep: rampup_interval": f"{FALLING} rampup_interval: 150",
    "poly: min_lr": "power: 2 min_lr: 0.3",
    "cosine: warmup_iter": "warmup_iter: 150",
}


def loss(iteration: int) -> float:
    """A training that stands still twice."""
    return 3 - 2 * min(iteration, 300) / 300 - 0.5 * max(min(iteration - 450, 150), 0) / 150


def main() -> None:
    pyplot.rcParams.update(
        {"font.size": 8, "svg.fonttype": "none", "svg.hashsalt": "brew", "path.simplify_threshold": 0.25}
    )
    figure, axes = pyplot.subplots(4, 4, figsize=(9, 6.4), sharex=True, sharey=True)
    for axis, (title, fields) in zip(axes.flat, POLICIES.items(), strict=True):
        text = f'base_lr: 1 max_iter: {LENGTH} lr_policy: "{title.split(":")[0]}" {fields}'
        schedule = RateSchedule(text_format.Parse(text, SolverParameter()))
        axis.plot([schedule.rate(i, loss(i)) for i in range(LENGTH)], color="#d9480f", linewidth=1.4)
        axis.set_title(title, fontsize=8, loc="left")
        axis.set_ylim(-0.04, 1.08)
        axis.set_xticks([0, LENGTH // 2, LENGTH])
        axis.set_yticks([0, 0.5, 1])
        axis.grid(color="#e0e0e0", linewidth=0.5)
        axis.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("iteration", fontsize=8)
    figure.supylabel("rate / base_lr", fontsize=8)
    figure.tight_layout()
    figure.savefig(Path(__file__).with_suffix(".svg"), metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    main()

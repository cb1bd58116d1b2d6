"""How much of `Net.forward` on one item is spent outside of the layers.

    python benchmarks/one_item.py            # LeNet and SqueezeNet 1.1
    python benchmarks/one_item.py --check    # exit 1 where it is 10 % or more

The clock is read before the first and behind the last call of the layers, in passes as a caller has them; times are
means of the hundred passes around the fastest percentile.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import brew
from brew import Net

MOST = 0.10
ZOO = Path(brew.__path__[-1]) / "model_zoo"
NETS = {"LeNet": "lenet", "SqueezeNet 1.1": "squeezenet_v1.1"}


def measured(name: str, seconds: float) -> tuple[float, float]:
    """(a pass, its layers) of a net of the zoo, in seconds; its weights are 0, which takes as long as others."""
    net = Net(ZOO / name / "deploy.prototxt", brew.TEST, device="cpu")
    net.blobs["data"].data[...] = np.random.default_rng(0).standard_normal(net.blobs["data"].shape)
    for _ in range(20):
        net.forward()
    clock, marks = time.perf_counter, [0.0, 0.0]

    def mark(which: int) -> None:
        marks[which] = clock()

    calls = net.executor.whole.forward.calls
    calls[:] = [lambda: mark(0), *calls, lambda: mark(1)]
    passes = list[tuple[float, float]]()
    end = clock() + seconds
    while (begun := clock()) < end:
        net.forward()
        passes.append((clock() - begun, marks[1] - marks[0]))
    assert net.executor.whole.forward.calls is calls, "the pass was made anew"
    fastest = sorted(passes)[: max(1, min(100, len(passes) // 50))]
    whole, inside = np.mean(fastest, axis=0)
    return float(whole), float(inside)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each net")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    missed = False
    for name, folder in NETS.items():
        whole, inside = measured(folder, options.seconds)
        share = 1 - inside / whole
        missed |= share >= MOST
        times = f"{whole * 1e6:9.1f} us, of which outside of layers {(whole - inside) * 1e6:5.1f}"
        print(f"{name:16} {times}: {share:.1%}")
    return int(options.check and missed)


if __name__ == "__main__":
    sys.exit(main())

"""Times convolutions in groups, and others that are seldom timed, in Brew and in PyTorch, in turn.

    python benchmarks/convolution_times.py [--batch 16] [--rounds 5] [--only TEXT] [--brew PYTHON]

Each stands in a net of its own whose input is plain, so that what Brew copies into its own layout counts. Forward is
inference; "both" is forward and all three gradients. PyTorch runs in both of its layouts, and the faster counts; so
does the fastest of all rounds, in processor time on one thread. `--brew` names the Python that has Brew, if it is not
this one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
CONTESTANTS = ("brew", "torch", "torch, channels last")


@dataclass(frozen=True)
class Convolution:
    """A square one."""

    name: str
    channels: int
    outputs: int
    size: int
    kernel: int
    group: int = 1
    stride: int = 1
    pad: int = 0
    dilation: int = 1
    turned: bool = False  # a Deconvolution

    @property
    def fields(self) -> str:
        return (
            f"num_output: {self.outputs} kernel_size: {self.kernel} group: {self.group} stride: {self.stride} "
            f"pad: {self.pad} dilation: {self.dilation}"
        )


CASES = [
    Convolution("ResNeXt 128, group 32", 128, 128, 56, 3, 32, pad=1),
    Convolution("ResNeXt 256, group 32", 256, 256, 28, 3, 32, pad=1),
    Convolution("ResNeXt 512, group 32", 512, 512, 14, 3, 32, pad=1),
    Convolution("ResNeXt 1024, group 32", 1024, 1024, 7, 3, 32, pad=1),
    Convolution("ResNeXt 256, stride 2", 256, 256, 56, 3, 32, stride=2, pad=1),
    Convolution("ShuffleNet 240 to 60, group 3", 240, 60, 28, 1, 3),
    Convolution("ShuffleNet 60 to 240, group 3", 60, 240, 28, 1, 3),
    Convolution("ShuffleNet 384 to 96, group 8", 384, 96, 28, 1, 8),
    Convolution("ShuffleNet 96 to 384, group 8", 96, 384, 28, 1, 8),
    Convolution("64 to 48, group 4", 64, 48, 28, 3, 4, pad=1),
    Convolution("AlexNet conv2, group 2", 96, 256, 27, 5, 2, pad=2),
    Convolution("AlexNet conv4, group 2", 384, 384, 13, 3, 2, pad=1),
    Convolution("6 to 9, group 3", 6, 9, 56, 5, 3, pad=2),
    Convolution("depthwise 5 x 5", 96, 96, 28, 5, 96, pad=2),
    Convolution("depthwise 5 x 5, stride 2", 96, 96, 28, 5, 96, stride=2, pad=2),
    Convolution("depthwise 3 x 3, dilation 2", 96, 96, 28, 3, 96, pad=2, dilation=2),
    Convolution("depthwise enlarging by 2", 21, 21, 28, 4, 21, stride=2, pad=1, turned=True),
    Convolution("depthwise enlarging by 8", 21, 21, 14, 16, 21, stride=8, pad=4, turned=True),
    Convolution("deconvolution 64 to 32, group 4", 64, 32, 28, 4, 4, stride=2, pad=1, turned=True),
    Convolution("1 x 1 with pad", 64, 64, 28, 1, pad=1),
    Convolution("13 to 32, stride 2", 13, 32, 56, 3, stride=2, pad=1),
    Convolution("3 to 64, 7 x 7, stride 2", 3, 64, 224, 7, stride=2, pad=3),
]


def brew_calls(of: Convolution, batch: int) -> tuple[Callable[[], object], Callable[[], object]]:
    """Forward of a net that has only that, and both of one that has all."""
    from brew import prototxt
    from brew.net.net import Net
    from brew.proto.brew_pb2 import NetParameter

    kind = "Deconvolution" if of.turned else "Convolution"
    dims = " ".join(f"dim: {n}" for n in (batch, of.channels, of.size, of.size))
    text = (
        f'force_backward: true layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ {dims} }} }} }} '
        f'layer {{ name: "it" type: "{kind}" bottom: "x" top: "y" loss_weight: 1 convolution_param {{ {of.fields} '
        f'weight_filler {{ type: "xavier" }} }} }}'
    )
    nets = []
    for phase, forward_only in ((1, True), (0, False)):
        net = Net(prototxt.parse(text, NetParameter), phase, seed=1, forward_only=forward_only, keep=["x"])
        net.blobs["x"].data[...] = np.random.default_rng(1).standard_normal(net.blobs["x"].shape)
        net.run_forward()
        nets.append(net)
    served, trained = nets

    def both() -> None:
        trained.run_forward()
        trained.run_backward()

    return served.run_forward, both


def torch_calls(of: Convolution, batch: int, *, last: bool) -> tuple[Callable[[], object], Callable[[], object]]:
    import torch

    make: Any = torch.nn.ConvTranspose2d if of.turned else torch.nn.Conv2d
    layout = torch.channels_last if last else torch.contiguous_format
    module = make(
        of.channels, of.outputs, of.kernel, of.stride, of.pad, groups=of.group, dilation=of.dilation
    ).to(memory_format=layout)  # fmt: skip
    x = torch.randn(batch, of.channels, of.size, of.size).to(memory_format=layout).requires_grad_()
    gradient = torch.ones_like(module(x)).contiguous(memory_format=layout)

    def forward() -> None:
        with torch.inference_mode():
            module(x)

    def both() -> None:
        x.grad = module.weight.grad = module.bias.grad = None
        module(x).backward(gradient)

    return forward, both


def serve(contestant: str, batch: int) -> None:
    """For every line on stdin, a case and seconds, the fastest seconds of forward and of both."""
    if contestant != "brew":
        import torch

        torch.set_num_threads(1)
    for line in sys.stdin:
        case, seconds = json.loads(line)
        of = Convolution(**case)
        calls = brew_calls(of, batch) if contestant == "brew" else torch_calls(of, batch, last="last" in contestant)
        print(json.dumps([fastest(call, seconds) for call in calls]), flush=True)


def fastest(call: Callable[[], object], seconds: float) -> float:
    """In processor time: on a busy machine the others' turns do not count. So it is for one thread."""
    call()
    best, until = float("inf"), perf_counter() + seconds
    while perf_counter() < until or best == float("inf"):
        start = process_time()
        call()
        best = min(best, process_time() - start)
    return best


def started(contestant: str, args: argparse.Namespace) -> subprocess.Popen[str]:
    python = args.brew if contestant == "brew" else sys.executable
    names = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [python, str(HERE / "convolution_times.py"), "--serve", contestant]
    command += ["--batch", str(args.batch)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=os.environ | names | {"PYTHONPATH": str(HERE.parent)} if contestant != "brew" else os.environ | names,
    )  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.1, help="of a turn")
    parser.add_argument("--only", default="", help="cases whose names contain this")
    parser.add_argument("--brew", default=sys.executable, metavar="PYTHON")
    parser.add_argument("--serve", choices=CONTESTANTS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args.serve, args.batch)
        return 0
    children = {name: started(name, args) for name in CONTESTANTS}
    names = f"{'Brew':>9}{'PyTorch':>10}{'':>7}"
    print(f"{'':34}{'forward ms':>19}{'':>7}{'both ms':>19}\n{'':34}{names}{names}")
    for case in (c for c in CASES if args.only in c.name):
        best = {name: [float("inf")] * 2 for name in CONTESTANTS}
        for _ in range(args.rounds):
            for name, child in children.items():
                assert child.stdin is not None and child.stdout is not None
                print(json.dumps([asdict(case), args.seconds]), file=child.stdin, flush=True)
                best[name] = [min(pair) for pair in zip(best[name], json.loads(child.stdout.readline()), strict=True)]
        cells = ""
        for which in range(2):
            mine, peer = best["brew"][which], min(best[name][which] for name in CONTESTANTS[1:])
            cells += f"{mine * 1e3:9.2f}{peer * 1e3:10.2f}{mine / peer:7.2f}"
        print(f"{case.name:34}{cells}", flush=True)
    for child in children.values():
        with child:
            pass
    return 0


if __name__ == "__main__":
    sys.exit(main())

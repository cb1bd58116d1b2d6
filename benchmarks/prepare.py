"""What all contestants of compare.py begin with: a net's weights in a file, and the net as an ONNX model.

    python benchmarks/prepare.py NET FILE.safetensors [FILE.onnx]

The weights are those of the net's own fillers; statistics of BatchNorm are taken from the batch, so that no TEST pass
runs into infinities or denormals.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from nets import NETS, TEST, TRAIN, BenchmarkNet, batch, timed

from brew.net.net import Net


def write_weights(of: BenchmarkNet, path: Path) -> None:
    net = Net(timed(of, TRAIN), TRAIN, device="cpu", seed=1)
    if any(layer.type == "BatchNorm" for layer in net.layers):
        net.blobs["data"].data[...], net.blobs["label"].data[...] = batch(of)
        net.run_forward()
    net.save(path)


def write_onnx(of: BenchmarkNet, weights: Path, path: Path) -> None:
    from onnx_model import model
    from safetensors import safe_open

    with safe_open(weights, framework="np") as file:
        path.write_bytes(model(timed(of, TEST), file.get_tensor).SerializeToString())


def main(arguments: Sequence[str]) -> None:
    name, weights, *onnx = arguments
    write_weights(NETS[name], Path(weights))
    if onnx:
        write_onnx(NETS[name], Path(weights), Path(onnx[0]))


if __name__ == "__main__":
    main(sys.argv[1:])

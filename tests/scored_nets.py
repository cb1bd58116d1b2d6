"""Small nets that score their own input, by a weight of 1: what they say of it is known beforehand."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

SOLVER = """net: "net.prototxt" test_iter: 2 test_interval: 2 base_lr: 1e-9 lr_policy: "fixed" display: 1 max_iter: 4
random_seed: 1 snapshot_prefix: "s" snapshot_after_train: false """
X = np.array([[3, 1, 0], [0, 2, 1], [0, 3, 1], [0, 1, 2], [1, 0, 3], [2, 0, 1]])
Y = np.array([0, 1, 0, 2, 2, 1])

HEADS = {
    "classes": 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "x" bottom: "label" top: "loss" }'
    ' layer { name: "acc" type: "Accuracy" bottom: "x" bottom: "label" top: "accuracy" }',
    "labels": 'layer { name: "loss" type: "SigmoidCrossEntropyLoss" bottom: "x" bottom: "label" top: "loss" }',
    "values": 'layer { name: "loss" type: "EuclideanLoss" bottom: "x" bottom: "label" top: "loss" }',
    "none": 'layer { name: "s" type: "Silence" bottom: "label" }',
}


def write_net(folder: Path, head: str, x: np.ndarray, label: np.ndarray) -> None:
    """A net that scores x itself: a weight of 1, learned by nobody."""
    with h5py.File(folder / "d.h5", "w") as file:
        file["x0"], file["label"] = x.astype(np.float32), label.astype(np.float32)
    (folder / "d.txt").write_text("d.h5\n")
    (folder / "labels.txt").write_text("ant\nbee\ncat\n")
    (folder / "net.prototxt").write_text(
        'layer { name: "d" type: "HDF5Data" top: "x0" top: "label" hdf5_data_param { source: "d.txt" batch_size: 3 } }\n'
        'layer { name: "one" type: "Scale" bottom: "x0" top: "x" scale_param { axis: 0 num_axes: 0'
        f" filler {{ value: 1 }} }} }}\n{head}\n"
    )

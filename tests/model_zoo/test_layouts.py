"""In the nets of the zoo activations lie in blocks from the data to the classifier, and oneDNN has fast code for all."""

from __future__ import annotations

from pathlib import Path

import pytest

import brew
from brew.cpu import onednn
from brew.cpu.onednn import Operation
from brew.layer.layout import PLAIN

pytestmark = pytest.mark.onednn

ZOO = Path(brew.__path__[-1]) / "model_zoo"
SHAPES = {"lenet": (1, 28, 28), "cifar10_full": (3, 32, 32)}
CLASSIFIERS = {"InnerProduct", "SoftmaxWithLoss", "Accuracy"}
LAST = {("lenet", "conv2")}  # from 20 to 50 channels: in blocks, half of the work would be on zeros


@pytest.mark.parametrize("forward_only", [False, True], ids=["trains", "forward only"])
@pytest.mark.parametrize("name", ["lenet", "cifar10_full", "googlenet", "resnet50", "mobilenet"])
def test_the_plan_of(name: str, forward_only: bool) -> None:
    shapes = {"data": (2, *SHAPES.get(name, (3, 224, 224)))}
    file = ZOO / name / "train_val.prototxt"
    phase = brew.TEST if forward_only else brew.TRAIN
    net = brew.Net(file, phase, shapes=shapes, engine="onednn", fuse=False, seed=1, forward_only=forward_only)
    # For LRN's backward oneDNN has code with AVX-512 alone. Without, LRN trains plain, and so does what follows it.
    plain_types = set() if forward_only or onednn.block() == 16 else {"LRN"}
    converting, codes, plain = set(), set(), set()
    for step in net.executor.steps:
        ends = zip(step.bottoms, step.layouts.x, strict=True)
        converts = any(blob.data_memory.layout != layout for blob, layout in ends)
        behind = step.layer.type in plain_types or any(bottom in plain for bottom in step.layer.param.bottom)
        if converts and not behind and (name, step.layer.name) not in LAST:
            converting.add(step.layer.type)
        if behind and set(step.layouts.y) == {PLAIN}:
            plain.update(step.layer.param.top)
        made = [o for o in vars(step.implementation).values() if isinstance(o, Operation)]
        codes |= {operation.implementation for operation in made}
    assert converting <= CLASSIFIERS
    assert codes
    assert not [code for code in codes if code.startswith(("ref", "gemm", "simple"))]

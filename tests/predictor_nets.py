"""A small classifier of pictures, for training and for use, and pictures for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from brew.data.images.decoding import encode_png

DATA = """layer {{ name: "data" type: "Data" top: "data" top: "label" {phase}
  transform_param {{ {transform} }} data_param {{ source: "{source}" batch_size: 2 }} }}"""
BODY = """
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 6 kernel_size: 3 weight_filler { type: "gaussian" std: 0.02 } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { pool: AVE global_pooling: true } }
layer { name: "ip" type: "InnerProduct" bottom: "pool" top: "ip"
  inner_product_param { num_output: 4 weight_filler { type: "gaussian" std: 0.3 } } }
"""
LOSS = """layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" include { phase: TEST } }"""
PROB = 'layer { name: "prob" type: "Softmax" bottom: "ip" top: "prob" }'
INPUT = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 12 dim: 12 } } }'


def train_val(source: str | Path = "nowhere", transform: str = "", *, body: str = BODY) -> str:
    """A net for training that reads an LMDB."""
    return 'name: "small"\n' + DATA.format(phase="", transform=transform, source=source) + body + LOSS


def deploy(*, body: str = BODY, inputs: str = INPUT, end: str = PROB) -> str:
    """A net for use."""
    return f'name: "small"\n{inputs}{body}{end}\n'


def picture(seed: int, height: int = 12, width: int = 12, channels: int = 3) -> np.ndarray:
    """RGB or gray, as programs hold them: height x width (x channels), no two channels alike."""
    rng = np.random.default_rng(seed)
    shape = (height, width, channels) if channels > 1 else (height, width)
    return rng.integers(0, 256, shape, dtype=np.uint8)


def png(pixels: np.ndarray) -> bytes:
    return encode_png(pixels)

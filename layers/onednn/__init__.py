"""The layers as oneDNN computes them on the CPU: one module for each type, named as the type's own."""

import numpy as np

from brew.cpu.library import library
from brew.layer.engine import Engine

from ._fused import FUSED

ENGINE = Engine("onednn", "cpu", np.float32, library, FUSED)

"""The layers as oneDNN computes them on the CPU: one module for each type, named as the type's own."""

import numpy as np

from brew.cpu.library import library
from brew.layer.engine_room import EngineRoom

from ._fused import ROWS

ROOM = EngineRoom("onednn", "cpu", np.float32, library, ROWS)

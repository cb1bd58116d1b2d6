"""The layers as oneDNN computes them on the CPU: one module for each type, named as the type's own."""

from brew.layer.engine_room import EngineRoom

from ._fused import ROWS

ROOM = EngineRoom(__name__, ROWS)

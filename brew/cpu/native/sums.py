"""Sums over the images and pixels of a blob in blocks of channels, for each channel: the gradient of a bias."""

from __future__ import annotations

import numpy as np

from brew.cpu.llvm.compiler import function
from brew.cpu.llvm.team import bound
from brew.layer import Array

from . import tiles
from .blocked import Blocked, width
from .filter_bank import Call


def channel_sums(of: Blocked, blob: Array, sums: Array) -> list[Call]:
    """Calls that add to `sums`, which has a number for each channel."""
    found, slots = np.zeros(of.group * of.blocks * width(), np.float32), of.slots(blob, 0)
    table = tiles.SUM.table({
        "blob": slots["blob"], "image": slots["image"], "block": of.plane, "blocks": of.blocks * of.group,
        "images": of.images, "plane": of.plane, "sums": found.ctypes.data,
    })  # fmt: skip

    def add() -> None:
        np.add(sums, found[: of.channels], out=sums)

    return [bound(function("sum", tiles.write_sum), table, (found, blob)), add]

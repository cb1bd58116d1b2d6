"""Images of bytes turned, sheared and moved: each pixel of the result between four of the source, in float32."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from brew.cpu.llvm.slots import address

from .calls import Bytes, call, native
from .warping_code import WARP, write_warp

BEFORE, BEHIND, SLACK = 1, 2, 4  # pixels of surroundings on either side of a source, bytes behind its last one

Matrix = npt.NDArray[np.float32]


def warped(source: Bytes, matrix: Matrix, limits: tuple[float, float, float, float], out: Bytes) -> None:
    """`out` (channels, height, width) from `source` (channels, BEFORE + rows + BEHIND, BEFORE + columns + BEHIND).

    Pixel (x, y) of the result, counted from 0, lies at matrix @ (x, y, 1) among the source's pixels, of which (0, 0) is
    the first behind its surroundings. Places are kept within `limits`: the least and greatest x, then y, at widest
    -1 to columns and -1 to rows. SLACK bytes behind the source's last pixel are there.
    """
    _, height, width = out.shape
    rows = np.arange(height, dtype=np.float32)
    starts = np.stack([rows * matrix[i, 1] + matrix[i, 2] for i in range(2)])
    numbers = np.array([matrix[0, 0], matrix[1, 0], *limits], np.float32)
    if native() and source.strides[2] == out.strides[2] == 1:
        call("warp", write_warp, WARP, {
            "source": address(source), "source_plane": source.strides[0], "source_row": source.strides[1],
            "planes": len(out), "rows": height, "columns": width, "starts": address(starts),
            "numbers": address(numbers),
            "target": address(out), "target_plane": out.strides[0], "target_row": out.strides[1],
        })  # fmt: skip
    else:
        _by_numpy(source, starts, numbers, out)


def _by_numpy(source: Bytes, starts: Matrix, numbers: Matrix, out: Bytes) -> None:
    columns = np.arange(out.shape[2], dtype=np.float32)
    x = np.clip(columns * numbers[0] + starts[0][:, None], numbers[2], numbers[3])
    y = np.clip(columns * numbers[1] + starts[1][:, None], numbers[4], numbers[5])
    left, top = np.floor(x), np.floor(y)
    x, y = x - left, y - top
    row, column = top.astype(np.intp) + BEFORE, left.astype(np.intp) + BEFORE
    corners = [source[:, row + i, column + j].astype(np.float32) for i in range(2) for j in range(2)]
    above = corners[0] + (corners[1] - corners[0]) * x
    below = corners[2] + (corners[3] - corners[2]) * x
    out[...] = np.rint(above + (below - above) * y)

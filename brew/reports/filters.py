"""The filters of a layer as an image: one tile for each, or for each of its channels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from brew.data.images.decoding import encode_png, to_pillow
from brew.errors import UsageError
from brew.files import regular
from brew.files.atomic import replacing
from brew.files.overwriting import Kind
from brew.files.signatures import noun_of
from brew.layer import shape_text
from brew.plain_text import one_line

if TYPE_CHECKING:
    from PIL.Image import Image

_MOST = 64  # filters, and channels of each, in an image
_SIDE = 24  # pixels of a tile at least
_GAP = 1


@dataclass(frozen=True, slots=True, eq=False)
class Filters:
    """The filter bank of a layer: `array` is (filters, channels, height, width), or a matrix.

    Filters of three channels are shown in colour (`rgb`: their order; else BGR), others channel by channel, a row for
    each filter. Zero is in the middle of the scale, which all share; of more than 64 filters or channels the first 64
    are shown.
    """

    layer: str
    array: npt.NDArray[Any]
    rgb: bool = False

    @property
    def pixels(self) -> npt.NDArray[np.uint8]:
        """The image, (height, width) gray or (height, width, 3) RGB. UsageError unless there are 2 or 4 axes."""
        if self.array.ndim not in (2, 4) or not self.array.size:
            raise UsageError(
                f'the filters of "{self.layer}" are {shape_text(self.array.shape)}: no image can be made of them'
            )
        values = np.asarray(self.array, np.float32)
        most = float(np.nan_to_num(np.abs(values)).max()) or 1.0
        scaled = np.nan_to_num((values / (2 * most) + 0.5) * 255, nan=0.0)
        gray: npt.NDArray[np.uint8] = np.rint(scaled).clip(0, 255).astype(np.uint8)
        if gray.ndim == 2:
            return gray
        gray = gray[:_MOST]
        if gray.shape[1] == 3:
            tiles = gray.transpose(0, 2, 3, 1)
            tiles = tiles if self.rgb else tiles[..., ::-1]
            columns = int(np.ceil(np.sqrt(len(tiles))))
        else:
            gray = gray[:, :_MOST]
            tiles = gray.reshape(-1, *gray.shape[2:])
            columns = gray.shape[1] if gray.shape[1] > 1 else int(np.ceil(np.sqrt(len(tiles))))
        return _grid(tiles, columns)

    def image(self) -> Image:
        """The same as an image of Pillow's."""
        return to_pillow(self.pixels)

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the image as a PNG; another file at `path` is replaced only with `overwrite`."""
        with replacing(Path(path), _KIND, overwrite=overwrite) as temporary:
            temporary.write_bytes(encode_png(self.pixels))

    def _repr_png_(self) -> bytes:
        return encode_png(self.pixels)

    def __repr__(self) -> str:
        return f"<Filters of {one_line(self.layer)!r}: {shape_text(self.array.shape)}>"


_KIND = Kind("a PNG image", lambda path: noun_of(regular.head(path, 512)) == "a PNG image", lambda path: False)


def _grid(tiles: npt.NDArray[np.uint8], columns: int) -> npt.NDArray[np.uint8]:
    """Tiles (n, height, width) or (n, height, width, 3) in rows of `columns`, enlarged, with white lines between."""
    zoom = max(1, -(-_SIDE // max(tiles.shape[1:3])))
    tiles = tiles.repeat(zoom, 1).repeat(zoom, 2)
    height, width = (size + _GAP for size in tiles.shape[1:3])
    rows = -(-len(tiles) // columns)
    image = np.full((rows * height - _GAP, columns * width - _GAP, *tiles.shape[3:]), 255, np.uint8)
    for number, tile in enumerate(tiles):
        top, left = number // columns * height, number % columns * width
        image[top : top + height - _GAP, left : left + width - _GAP] = tile
    return image

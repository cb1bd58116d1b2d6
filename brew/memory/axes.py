"""Caffe's names for the axes of blobs with at most four of them."""

from __future__ import annotations

from brew.layer import Shape, shape_text


class LegacyAxes:
    """Something with a shape whose axes have names; a missing trailing axis counts as 1, a fifth is a ValueError."""

    @property
    def shape(self) -> Shape:
        raise NotImplementedError

    def _legacy(self, axis: int) -> int:
        if len(self.shape) > 4:
            raise ValueError(f"num, channels, height, width need at most 4 axes, not {shape_text(self.shape)}")
        return self.shape[axis] if axis < len(self.shape) else 1

    @property
    def num(self) -> int:
        return self._legacy(0)

    @property
    def channels(self) -> int:
        return self._legacy(1)

    @property
    def height(self) -> int:
        return self._legacy(2)

    @property
    def width(self) -> int:
        return self._legacy(3)

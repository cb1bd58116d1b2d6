"""How other libraries take a blob: as an array, and by DLPack."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .axes import LegacyAxes


class Exchanged(LegacyAxes):
    """Something that has `data`; what is taken of it are views of that, unless a copy is asked for."""

    @property
    def data(self) -> npt.NDArray[Any]:
        raise NotImplementedError

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.array(self.data, dtype, copy=copy)

    def __dlpack__(self, **options: Any) -> Any:
        return self.data.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.data.__dlpack_device__()

"""HDF5Output: writes a batch to an HDF5 file."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from brew import cuda
from brew.data.hdf5.writer import write_datasets
from brew.files.paths import expanded
from brew.layer import Arrays, Context, Implementation, Layer, Shape, exactly
from brew.layer.registry import register_layer
from brew.proto.brew_pb2 import LayerParameter

log = logging.getLogger("brew")


@register_layer
class HDF5Output(Layer):
    """Writes its bottoms to the datasets `data` and `label` of a file, in every forward, over those of the one before.

    Bottoms  data, label (equal first axes); stored with four axes at least, as Caffe does
    Tops     none
    Param    hdf5_output_param.file_name

    The file is complete and closed after each forward. ResourceError when it cannot be written.

    Example  bottom: "fc7" bottom: "label" hdf5_output_param { file_name: "features.h5" }
    """

    type = "HDF5Output"
    bottoms = exactly(2)
    tops = exactly(0)
    reads = frozenset()
    for_training = True
    no_gradient = frozenset({0, 1})
    once = True

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        self.path = expanded(param.hdf5_output_param.file_name)
        if not param.hdf5_output_param.file_name:
            raise self.error("file_name is empty: the file to write is expected", "hdf5_output_param", "file_name")
        if not self.path.parent.is_dir():
            raise self.error(f"there is no folder {self.path.parent}", "hdf5_output_param", "file_name")
        self._batches = 0

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        if not all(bottom) or bottom[0][0] != bottom[1][0]:
            raise self.shape_error("two bottoms with equal first axes", bottom)
        return []

    def write(self, data: npt.NDArray[Any], label: npt.NDArray[Any]) -> None:
        """Put one batch into the file; a second one is worth a warning."""
        write_datasets(self.path, {"data": _four_axes(data), "label": _four_axes(label)})
        self._batches += 1
        if self._batches == 2:
            log.warning('layer "%s": %s holds one batch; each replaces the one before', self.name, self.path)


def _four_axes(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return values.reshape(values.shape + (1,) * (4 - values.ndim))


@HDF5Output.runs_on("cpu")
class _CPU(Implementation[HDF5Output]):
    def forward(self, io: Arrays) -> None:
        self.layer.write(*io.x)


@HDF5Output.runs_on("cuda")
class _CUDA(Implementation[HDF5Output]):
    def forward(self, io: Arrays) -> None:
        self.layer.write(*map(cuda.asnumpy, io.x))

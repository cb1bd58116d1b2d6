"""DummyData: tops filled by fillers, for tests and timing without a data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from brew import cuda
from brew.layer import Array, Arrays, Buffer, Context, Implementation, Layer, Shape, Shapes, Wanted, at_least, exactly
from brew.layer.filler import Values, check_filler, fill
from brew.layer.random import Stream
from brew.layer.registry import register_layer
from brew.proto.brew_pb2 import FillerParameter, LayerParameter

_LEGACY = "num", "channels", "height", "width"


@register_layer
class DummyData(Layer):
    """Data made by fillers.

    Tops     any number (of the shapes given)
    Param    dummy_data_param.shape, one for all tops or one per top; or num, channels, height and width likewise;
             .data_filler, one for all or one per top, constant 0 without one
    Example  top: "x" dummy_data_param { shape { dim: 64 dim: 10 } data_filler { type: "gaussian" } }

    A constant is written once, so what a caller writes over it stays; the others draw anew in every forward, from
    the net's seed and the number of the pass.
    """

    type = "DummyData"
    bottoms = exactly(0)
    tops = at_least(1)
    reads = frozenset()
    batch_in_message = True
    fills_tops = True
    rewrites = False

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        self._shapes = self._given_shapes()
        fillers = list(param.dummy_data_param.data_filler) or [FillerParameter()]
        self._check_number(len(fillers), "data_filler")
        self.fillers = fillers * len(param.top) if len(fillers) == 1 else fillers
        for i, (filler, shape) in enumerate(zip(self.fillers, self._shapes, strict=True)):
            number = i if i < len(param.dummy_data_param.data_filler) else 0
            place = "dummy_data_param", "data_filler", number
            check_filler(filler, shape, lambda text, p=place, hint=None: self.error(text, *p, hint=hint))

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        return self._shapes

    def values(self, top: int, dtype: np.dtype[np.generic], shape: Shape, passes: int) -> Values:
        """The values of top number `top` in pass number `passes`."""
        stream = Stream(self.context.seed, f"{self.name}/{top}/{passes}")
        return fill(self.fillers[top], shape, dtype, stream, self.error)

    def _given_shapes(self) -> list[Shape]:
        dummy = self.param.dummy_data_param
        legacy = {field: list(getattr(dummy, field)) for field in _LEGACY}
        shapes: list[Shape]
        if dummy.shape:
            for field, given in legacy.items():
                if given:
                    raise self.error(f"both shape and {field} are given", "dummy_data_param", field)
            self._check_number(len(dummy.shape), "shape")
            shapes = [tuple(shape.dim) for shape in dummy.shape]
        else:
            for field, given in legacy.items():
                self._check_number(len(given), field)
                legacy[field] = given * len(self.param.top) if len(given) == 1 else given
            shapes = list(zip(*legacy.values(), strict=True))
        if any(n < 0 for shape in shapes for n in shape):
            raise self.error(f"a shape with a negative size, {shapes}", "dummy_data_param", "shape")
        return shapes * len(self.param.top) if len(shapes) == 1 else shapes

    def _check_number(self, given: int, field: str) -> None:
        if given not in (1, len(self.param.top)):
            text = f"{given} {field} for {len(self.param.top)} tops: one, or one per top"
            raise self.error(text, "dummy_data_param", field)


class _Filled(Implementation[DummyData]):
    """Filled on the host for every device: the same numbers everywhere."""

    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self._constant: dict[int, Array] = {}
        return {}

    def forward(self, io: Arrays) -> None:
        passes: int | None = None
        for i, (top, filler) in enumerate(zip(io.y, self.layer.fillers, strict=True)):
            if filler.type == "constant":
                if self._constant.get(i) is not top:
                    self._constant[i] = top
                    self._write(top, self.layer.values(i, top.dtype, top.shape, 0))
                continue
            passes = self._number(io.passes) if passes is None else passes
            self._write(top, self.layer.values(i, top.dtype, top.shape, passes))

    def _write(self, top: Array, values: Values) -> None:
        raise NotImplementedError

    def _number(self, passes: Array) -> int:
        raise NotImplementedError


@DummyData.runs_on("cpu")
class _CPU(_Filled):
    def _write(self, top: Array, values: Values) -> None:
        np.copyto(top, values)

    def _number(self, passes: Array) -> int:
        return int(passes[0])


@DummyData.runs_on("cuda")
class _CUDA(_Filled):
    def _write(self, top: Array, values: Values) -> None:
        cuda.upload(top, values)

    def _number(self, passes: Array) -> int:
        return int(cuda.asnumpy(passes)[0])

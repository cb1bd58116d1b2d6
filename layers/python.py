"""Python: a layer that the user writes in Python."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, NoReturn

import numpy as np
import numpy.typing as npt

from brew import cuda
from brew.errors import BrewError, NetError, blame
from brew.layer import (
    Array,
    Arrays,
    Buffer,
    Context,
    Implementation,
    Layer,
    Param,
    Shape,
    Shapes,
    Wanted,
    at_least,
    count,
    shape_text,
)
from brew.layer.registry import register_layer
from brew.memory.blob import Blob, Memory
from brew.proto.brew_pb2 import LayerParameter
from brew.python_layer import LentBlob, ParamBlobs, Phase, described, load_class

from ._python_state import packed, unpacked


@register_layer
class Python(Layer):
    """Calls setup, reshape, forward and backward of a class on the base `brew.python_layer.PythonLayer`.

    Bottoms  any number
    Tops     any number, of the shapes that the class gives them in reshape, before every forward, or in forward
    Params   what the class adds with self.blobs.add_blob
    Param    python_param.module (found along sys.path, then in the working directory, then beside the prototxt),
             .layer (the class), .param_str (handed over as it is); .share_in_parallel is of no use

    The class works on host arrays; on CUDA they are copied there and back, unless it says `device_arrays = True`. What
    it raises goes to the caller as it is, with a note that names the layer and its line. Attributes of its object are
    attributes of this layer too.

    Example  bottom: "x" top: "y" python_param { module: "my_layers" layer: "Halve" param_str: "0.5" }
    """

    type = "Python"
    bottoms = at_least(0)
    tops = at_least(0)
    in_place = True
    once = True  # the class may count its calls, or draw
    rewrites = False  # the class may leave elements as they are
    writes_bottoms = True  # the class may

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        python = param.python_param
        for field in ("module", "layer"):
            if not getattr(python, field):
                raise self.error(f"python_param.{field} is needed", "python_param", field)
        cls = load_class(
            python.module,
            python.layer,
            context.folder,
            lambda text, hint=None: self.error(text, "python_param", "module", hint=hint),
        )
        self._ready = False
        self.copied: list[int] = []  # tops that the file has in place, and the net cannot: they begin as their bottoms
        self.bottom = [LentBlob((0,), context.dtype, name) for name in param.bottom]
        self.top = [
            self.bottom[t] if name in param.bottom[t : t + 1] else LentBlob((0,), context.dtype, name)
            for t, name in enumerate(param.top)
        ]
        try:
            self.instance = cls(param)
        except Exception as error:
            self._raise(error, "__init__")
        self.instance.param_str = self.instance.param_str_ = python.param_str
        self.instance.phase = Phase(context.phase)
        self.instance.type = self.type
        self.instance.blobs = ParamBlobs(context.dtype)
        self.has_own_state = hasattr(self.instance, "state") and hasattr(self.instance, "restore")
        self.keeps_to_itself = not self.has_own_state

    def __getattr__(self, name: str) -> Any:
        """What the class has beyond a layer (set_roidb, say), as in pycaffe, where the two are one."""
        if name == "instance" or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.instance, name)

    @property
    def blobs(self) -> ParamBlobs:
        """The parameters, as the class sees them."""
        return self.instance.blobs

    def call(self, method: str, *arguments: Any) -> Any:
        """Call the class. What it raises is raised, with a note."""
        try:
            return getattr(self.instance, method)(*arguments)
        except Exception as error:
            self._raise(error, method)

    def _raise(self, error: Exception, method: str) -> NoReturn:
        if not isinstance(error, BrewError):
            blame(error, self._wrong(f"{method} raised {described(error, self.param.python_param.module)}"))
        raise error

    def _wrong(self, what: str) -> NetError:
        python = self.param.python_param
        return self.error(f"{python.layer}.{what}", "python_param", "layer")

    def check_bottoms(self, method: str, bottom: Sequence[Shape]) -> None:
        """NetError where `method` has left bottoms with other numbers of elements than `bottom`, or where it has given
        a bottom that is a top in place another shape."""
        for blob, shape in zip(self.bottom, bottom, strict=True):
            in_place = any(blob is top for top in self.top)
            if blob.shape != shape if in_place else blob.count != count(shape):
                raise self._wrong(
                    f'{method} changed the shape of bottom "{blob.name}" from {shape_text(shape)} to '
                    f"{shape_text(blob.shape)}; a layer gives its tops their shapes"
                )

    # --- what the class keeps from batch to batch, where it says so -----------------------------------------------

    def own_state(self) -> Mapping[str, npt.NDArray[Any]]:
        """What `state()` of the class returns, as arrays; NetError where that can not be stored."""
        if not self.has_own_state:
            return {}
        try:
            return packed(self.call("state"))
        except TypeError as error:
            raise self._wrong(f"state returned what a snapshot cannot hold: {error}") from error

    def restore_own_state(self, values: Mapping[str, npt.NDArray[Any]]) -> None:
        """Hand it to `restore(state)` of the class."""
        self.call("restore", unpacked(values))

    def with_own_top(self, top: int, bottom: str) -> Python:
        """This very layer: the class may have been set up. It finds in the top what it would find in place."""
        self.top[top] = LentBlob(self.bottom[top].shape, self.context.dtype, self.param.top[top])
        self.copied.append(top)
        return self

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        """Calls setup the first time, and reshape."""
        for blob, shape in zip(self.bottom, bottom, strict=True):
            blob.reshape(*shape)
        if not self._ready:
            self.call("setup", self.bottom, self.top)
            self._ready = True
        self.call("reshape", self.bottom, self.top)
        self.check_bottoms("reshape", bottom)
        return [blob.shape for blob in self.top]

    def declare_params(self, bottom: Sequence[Shape]) -> list[Param]:
        return [Param(b.shape, self.blobs.fillers[i], start=self._start(b)) for i, b in enumerate(self.blobs)]

    def _start(self, blob: Blob) -> Array | None:
        """The values that setup wrote into a parameter, where it did."""
        untouched = not blob.data_memory.capacity or blob.data_memory.fixed
        return None if untouched else blob.data.copy()


class _Called(Implementation[Python]):
    """The class's blobs live in the net's arrays; on CUDA what it looked at is copied before and after each call."""

    device: ClassVar[str]

    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self._wanted = wanted
        return {}

    def top_shapes(self, io: Arrays) -> list[Shape]:
        """Runs the class's forward, which may give the tops their shapes."""
        layer = self.layer
        for t in layer.copied:
            if io.y[t].shape == io.x[t].shape:
                self._copy(io.y[t], io.x[t])
        self._lend(io)
        for memory in self._values():
            memory.download()
        layer.call("reshape", layer.bottom, layer.top)
        layer.call("forward", layer.bottom, layer.top)
        layer.check_bottoms("forward", [x.shape for x in io.x])
        for memory in self._values():
            memory.upload()
        for blob, y in zip(layer.top, io.y, strict=True):
            if blob.shape != y.shape:
                blob.move_out()
        return [blob.shape for blob in layer.top]

    def forward(self, io: Arrays) -> None:
        """The values that `top_shapes` has made go where the net has put the tops since."""
        self._lend(io, reshaped=True)

    def backward(self, io: Arrays) -> None:
        layer = self.layer
        for t in layer.copied:
            if (dx := io.dx[t]) is not None:
                self._copy(dx, io.dy[t])
        self._lend(io, reshaped=True)
        for memory in (*self._values(), *self._gradients()):
            memory.download()
        layer.call("backward", layer.top, list(self._wanted.bottoms), layer.bottom)
        for memory in self._gradients():
            memory.upload()

    def _copy(self, target: Array, source: Array) -> None:
        (cuda.copy if self.device == "cuda" else np.copyto)(target, source)

    def _lend(self, io: Arrays, *, reshaped: bool = False) -> None:
        """The blobs show the values as they are now; `reshaped` as in `LentBlob.lend`."""
        layer = self.layer
        dy: Sequence[Array | None] = io.dy or [None] * len(io.y)
        for i, (blob, x, dx) in enumerate(zip(layer.bottom, io.x, io.dx, strict=True)):
            in_place = i < len(layer.top) and layer.top[i] is blob
            blob.lend(x, dy[i] if in_place else dx, self.device, reshaped=reshaped)
        for blob, y, diff in zip(layer.top, io.y, dy, strict=True):
            if not any(blob is b for b in layer.bottom):
                blob.lend(y, diff, self.device, keep=True, reshaped=reshaped)
        for blob, w, dw in zip(layer.blobs, io.w, io.dw, strict=True):
            blob.lend(w, dw, self.device)

    def _blobs(self) -> Iterator[LentBlob]:
        yield from self.layer.bottom
        yield from (blob for blob in self.layer.top if not any(blob is b for b in self.layer.bottom))
        yield from self.layer.blobs

    def _values(self) -> Iterator[Memory]:
        return (blob.data_memory for blob in self._blobs())

    def _gradients(self) -> Iterator[Memory]:
        return (blob.diff_memory for blob in self._blobs())


@Python.runs_on("cpu")
class _CPU(_Called):
    device = "cpu"


@Python.runs_on("cuda")
class _CUDA(_Called):
    device = "cuda"

    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        for blob in self._blobs():
            blob.on_device = self.layer.instance.device_arrays
        return super().prepare(shapes, wanted)

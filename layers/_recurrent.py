"""The base of LSTM and RNN: bottoms, tops, parameters, and their checks (Caffe's RecurrentLayer)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from brew.layer import Context, Layer, Param, Shape, count, shape_text
from brew.proto.brew_pb2 import LayerParameter


class Sizes(NamedTuple):
    """steps T, streams N, inputs D, static inputs S, hidden H; rows: of the gates, a multiple of H."""

    steps: int
    streams: int
    inputs: int
    static: int
    hidden: int
    rows: int


class Recurrent(Layer):
    """Steps in time, each a function of the input and of the state before it.

    blocks   gates per hidden unit
    states   the names of the states, in Caffe's order
    """

    blocks: ClassVar[int]
    states: ClassVar[tuple[str, ...]]
    reads = frozenset("x")
    no_gradient = frozenset({1})

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        self.own = param.recurrent_param
        if self.own.num_output < 1:
            raise self.error("num_output must be at least 1", "recurrent_param", "num_output")
        exposed = len(self.states) if self.own.expose_hidden else 0
        self.exposed = exposed > 0
        self.has_static = len(param.bottom) == 3 + exposed
        if len(param.bottom) not in (2 + exposed, 3 + exposed):
            names = ", ".join(["x, cont, perhaps a static input", *(f"{s}_0" for s in self.states[:exposed])])
            raise self.error(f"takes {2 + exposed} or {3 + exposed} bottoms ({names}); {len(param.bottom)} are given")
        if len(param.top) != 1 + exposed:
            names = ", ".join(["y", *(f"{s}_T" for s in self.states[:exposed])])
            raise self.error(f"makes {1 + exposed} tops ({names}); {len(param.top)} are given", "top")

    @property
    def first_state(self) -> int:
        """The number of the first bottom that holds a state."""
        return 3 if self.has_static else 2

    def sizes(self, bottom: Sequence[Shape]) -> Sizes:
        x, hidden = bottom[0], self.own.num_output
        static = count(bottom[2][1:]) if self.has_static else 0
        return Sizes(x[0], x[1], count(x[2:]), static, hidden, self.blocks * hidden)

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        if len(bottom[0]) < 2 or bottom[1] != bottom[0][:2]:
            raise self.shape_error("x (T x N x ...) and cont (T x N), T steps of N streams", bottom)
        steps, streams, _, _, hidden, _ = self.sizes(bottom)
        if self.has_static and bottom[2][:1] != (streams,):
            raise self.shape_error(f"a static input ({streams} x ...)", bottom)
        state = (1, streams, hidden)
        if any(shape != state for shape in bottom[self.first_state :]):
            raise self.shape_error(f"first states of {shape_text(state)}", bottom)
        return [(steps, streams, hidden), *([state] * (len(self.states) if self.exposed else 0))]

    def declare_params(self, bottom: Sequence[Shape]) -> list[Param]:
        sizes, filler = self.sizes(bottom), self.own.weight_filler
        params = [Param((sizes.rows, sizes.inputs), filler), Param((sizes.rows,), self.own.bias_filler)]
        if self.has_static:
            params.append(Param((sizes.rows, sizes.static), filler))
        return [*params, Param((sizes.rows, sizes.hidden), filler)]

    def multiply_adds(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        """The products of the gates: with x and h in every step, with a static input once."""
        sizes = self.sizes(bottom)
        return sizes.streams * sizes.rows * (sizes.steps * (sizes.inputs + sizes.hidden) + sizes.static)

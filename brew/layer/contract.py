"""The layer contract (docs/decisions/0001).

A `Layer` says *what* is computed: it reads its message, checks it, infers shapes, declares parameters, and states
the facts the Net plans with. An `Implementation` says *how*, on one device with one engine: it asks for buffers
once shapes are known, then fills arrays. Layers own no blobs and know no net; all state lives on the objects of
one net, so two nets on two threads never meet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, SupportsIndex, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from brew.errors import NetError, Place

from .arity import Arity, exactly
from .arrays import Array, Arrays, Buffer, Prepared, Shapes, Wanted
from .choices import Choices
from .layout import Layout, Shape, View, plain, shape_text

if TYPE_CHECKING:
    from brew.proto.brew_pb2 import FillerParameter, LayerParameter

TRAIN, TEST = 0, 1  # brew.proto's Phase, without the import


class Unsupported(Exception):
    """An implementation has no way to compute what was asked, or no fast one; the caller takes another way."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a layer may know of the net it stands in.

    `place("pooling_param", "pad")` is the field's position in the file, `folder` the prototxt's; `seed` keys random
    numbers; `choices` says which of several ways to take; `bottoms` are the names that the file gives the layer's
    bottoms, where its message names tops of Splits instead.
    """

    phase: int = TEST
    dtype: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.float32))
    seed: SupportsIndex = 0  # a brew.layer.random.Seed in nets: a resume may change it
    place: Callable[..., Place | None] = field(default=lambda *path: None)
    folder: Path = Path()
    choices: Choices = field(default_factory=Choices)
    bottoms: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter blob a layer declares: its shape and how it starts: zeros, filled, or as the values `start`.

    `learned` False marks a state blob (BatchNorm's averages): no gradient, lr_mult 0, stored with the weights.
    """

    shape: Shape
    filler: FillerParameter | None = None
    learned: bool = True
    start: Array | None = None


L = TypeVar("L", bound="Layer")
I = TypeVar("I", bound="type[Implementation[Any]]")  # noqa: E741
How: TypeAlias = "type[Implementation[Any]]"  # in Layer, `type` is the layer's own


class Implementation(Generic[L]):
    """One way to compute a layer: one device, one engine. Made once per net, prepared once per shape.

    over     pairs (bottom, top) whose dx backward may write over the dy; both then have one layout and size
    engine   what it computes with; `Layer.runs_on` writes it
    """

    engine: ClassVar[str] = "caffe"
    over: Sequence[tuple[int, int]] = ()  # `prepare` may set it

    def __init__(self, layer: L) -> None:
        self.layer = layer

    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        """Make primitives and index tables for these shapes; return the buffers forward and backward need."""
        return {}

    def prepare_in(self, bottoms: Sequence[Layout], shapes: Shapes, wanted: Wanted) -> Prepared:
        """What the net calls: `prepare`, and how bottoms are wanted and tops given.

        Bottoms lie as `bottoms` says; the net converts. Only an engine with layouts of its own overrides this. Where
        it, or `prepare`, raises `Unsupported`, the net takes another implementation.
        """
        return Prepared(plain(shapes.x, shapes.y), self.prepare(shapes, wanted))

    def bind(self, io: Arrays) -> None:
        """The arrays of the coming calls stand: make what belongs to them. They stay until it is called again."""

    def top_shapes(self, io: Arrays) -> Sequence[Shape] | None:
        """Where shapes depend on values (Filter): the tops' shapes for the bottoms as they are now, before forward. Of
        what it writes into io.y, nothing may stay where a shape changes."""
        return None

    def ways(self) -> Mapping[str, str]:
        """For people: how each of its passes is computed, where there could be several ways; after `prepare`."""
        return {}

    def forward(self, io: Arrays) -> None:
        """Fill every io.y from io.x and io.w."""
        raise NotImplementedError

    def again(self, io: Arrays) -> None:
        """Forward once more in a pass, for its backward (memory.recompute): the same values in io.y and what is saved.

        What outlasts a pass stays as it is; a layer whose forward changes such a thing overrides this, or is `once`.
        """
        self.forward(io)

    def backward(self, io: Arrays) -> None:
        """Write every wanted io.dx and add to every wanted io.dw, from io.dy."""
        raise NotImplementedError


class Layer:
    """What one layer computes. Subclasses register with `@register_layer` and state the facts below.

    In brackets stand the modules and rooms below `brew` that read a fact.

    type, bottoms, tops   the type's name in files; how many bottoms and tops it takes (layer.registry,
                          graph.layer_checks)
    in_place              the first top may overwrite the first bottom; done where the file gives both the same name
                          (graph.build)
    reads                 which values backward reads: any of "x", "y"; the memory plan keeps these alone (memory.uses,
                          memory.recompute)
    no_gradient           bottoms that can never get a gradient, such as labels (graph.build, graph.layer_checks)
    is_loss               the first top has loss weight 1 unless the file says otherwise, and may be left unnamed
                          (graph, solver.scoring, checks, predictor)
    once                  forward cannot run twice in one pass: it writes a file, or its effects are unknown
                          (net.run.step)
    is_filled             the caller writes the tops, between passes: they are the inputs of the net (graph,
                          net.run.step, predictor, page)
    is_split              every top is the bottom under another name; nets put such layers in (graph.layer_checks and
                          net, for messages and tables)
    rewrites              every forward writes every element of the tops, every backward those of the gradients it gives
                          (graph.versions, memory.uses, net.run.blobs, net.run.fusion)
    writes_bottoms        forward may write into its bottoms (net.run.step, memory.recompute)
    has_own_state         `own_state` has something for snapshots (solver.snapshots.resume)
    keeps_to_itself       it has state between batches that no snapshot holds: a resume starts it anew, and says so
                          (solver.snapshots.resume)
    sign_is_enough        backward needs only the sign of the values that `reads` names (graph.versions)
    keeps_signs           where a gradient passes, a top in place has the sign of its bottom (graph.versions)
    only_moves            every element of a top is an element of a bottom: in part, in another order or shape (checks)
    weights_in            the message with `num_output`, `weight_filler` and `bias_term`: its parameters are weights and
                          a bias; "": none is (checks, page)

    Facts of losses and scores, and what a net to deploy is made by (graph.rewriting, where nothing else stands):

    least_probability     the loss replaces smaller probabilities by this; 0: it takes none (solver, checks)
    labels_are_classes    its second bottom holds numbers of classes, of which the first has the scores of each
                          (solver.scoring, checks)
    axis_in               the message whose `axis` tells where these classes are; "": all numbers of an item are
                          (also solver, checks)
    probabilities         the type of layer that makes the probabilities that a loss is over; "": none does
                          (also solver.scoring, checks)
    is_score              it compares scores with labels, its last bottom (also checks, predictor)
    for_training          a deployed net has no use for it (nor for losses)
    batch_in_message      its message has the shape of a batch, and a batch of another size does as well
                          (graph.data_shapes)
    fills_tops            the fillers in its message make its tops; in other layers they start parameters
                          (also page)
    """

    type: ClassVar[str]
    bottoms: ClassVar[Arity] = exactly(1)
    tops: ClassVar[Arity] = exactly(1)
    in_place: ClassVar[bool] = False
    reads: frozenset[str] = frozenset("xy")  # a layer may narrow it once it has read its message
    no_gradient: frozenset[int] = frozenset()  # likewise
    is_loss: ClassVar[bool] = False
    once: ClassVar[bool] = False
    is_filled: ClassVar[bool] = False
    is_split: ClassVar[bool] = False
    rewrites: ClassVar[bool] = True
    writes_bottoms: ClassVar[bool] = False
    has_own_state: bool = False  # likewise
    keeps_to_itself: bool = False  # likewise
    sign_is_enough: bool = False
    keeps_signs: ClassVar[bool] = False
    only_moves: ClassVar[bool] = False
    weights_in: ClassVar[str] = ""
    least_probability: ClassVar[float] = 0.0
    labels_are_classes: ClassVar[bool] = False
    axis_in: ClassVar[str] = ""
    probabilities: ClassVar[str] = ""
    is_score: ClassVar[bool] = False
    for_training: ClassVar[bool] = False
    batch_in_message: ClassVar[bool] = False
    fills_tops: ClassVar[bool] = False
    implementations: ClassVar[dict[tuple[str, str], How]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.implementations = {}

    def __init__(self, param: LayerParameter, context: Context) -> None:
        """Read and check the message. Shapes are not known yet; nothing is allocated."""
        self.param = param
        self.context = context
        self.name: str = param.name

    @classmethod
    def runs_on(cls, device: str, engine: str = "caffe") -> Callable[[I], I]:
        """Decorator: the class below computes this layer on `device` ("cpu" or "cuda") with `engine`."""

        def register(implementation: I) -> I:
            cls.implementations[device, engine] = implementation
            implementation.engine = engine
            return implementation

        return register

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        """Top shapes from bottom shapes: pure, and the place where shapes are checked."""
        raise NotImplementedError

    def declare_params(self, bottom: Sequence[Shape]) -> list[Param]:
        """The parameter blobs, in Caffe's order."""
        return []

    @classmethod
    def has_params(cls) -> bool:
        """Whether layers of this type may have parameter blobs."""
        return cls.declare_params is not Layer.declare_params

    def multiply_adds(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        """Multiply-adds of a forward pass in convolutions and matrix products, which is what papers count; else 0."""
        return 0

    @property
    def left_for_backward(self) -> frozenset[str]:
        """What of `reads` backward finds in the net's blobs; of the rest the layer keeps a copy."""
        return self.reads

    def with_own_top(self, top: int, bottom: str) -> Layer:
        """This layer not in place: its bottom of the same number as `top` gets the name `bottom`."""
        param = type(self.param)()
        param.CopyFrom(self.param)
        param.bottom[top] = bottom
        return type(self)(param, self.context)

    def view(self, top: int) -> View | None:
        """Whether top number `top` is a bottom's memory under another shape or name."""
        return None

    def own_state(self) -> Mapping[str, npt.NDArray[Any]]:
        """What the layer keeps from batch to batch besides `carried` buffers, as host arrays: snapshots hold it."""
        return {}

    def restore_own_state(self, values: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from `values`, as `own_state` gave them."""

    def implementation(self, device: str, engine: str = "caffe") -> Implementation[Any]:
        """A fresh implementation for `device`; NetError when there is none."""
        if (device, engine) not in self.implementations:
            have = ", ".join(f"{d}/{e}" for d, e in self.implementations)
            raise self.error(f"runs on {have}, not on {device}/{engine}")
        return self.implementations[device, engine](self)

    # --- what every layer says when something is wrong -----------------------------------------------------------

    def error(self, message: str, *path: str | int, hint: str | None = None) -> NetError:
        """A NetError naming this layer and its type, placed at the field `path` of its message."""
        return NetError(f'layer "{self.name}" ({self.type}): {message}', place=self.context.place(*path), hint=hint)

    def shape_error(self, expected: str, bottom: Sequence[Shape], *path: str | int, hint: str = "") -> NetError:
        """The error for bottoms of unusable shape: what was expected, and every bottom's name and shape."""
        names = [*(self.context.bottoms or self.param.bottom), *("?" for _ in bottom)]
        came = ", ".join(f'"{n}" {shape_text(s)}' for n, s in zip(names, bottom, strict=False))
        return self.error(f"expects {expected}; bottoms are {came}", *path, hint=hint or None)

    def axis(self, axis: int, ndim: int, *path: str | int) -> int:
        """`axis` counted from the front (negative counts from the end); an error when it is out of range."""
        if -ndim <= axis < ndim:
            return axis % ndim
        label = ": is the bottom a label?" * (ndim == 1)
        raise self.error(f"axis {axis} is out of range for {ndim} axes ({-ndim} to {ndim - 1}){label}", *path)

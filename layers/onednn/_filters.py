"""Convolution and Deconvolution in blocked layouts: by oneDNN, and where it is faster, in code of our own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from brew.cpu import onednn, threads
from brew.cpu.onednn import Description
from brew.cpu.onednn.after import After
from brew.layer import TRAIN, Arrays, Implementation, Prepared, Shape, Shapes, Unsupported, Wanted, shape_text
from brew.layer.layout import PLAIN, Layout, Layouts
from brew.layers._filters import Filters

from ._converted import Converted, Lies
from ._grouped import Grouped, grouped
from ._passes import (
    BACKWARD,
    BOTTOM,
    DIRECT,
    FILTERS,
    FORWARD,
    NOTHING,
    Added,
    DirectBackward,
    DirectData,
    DirectForward,
    DirectWeights,
    Pass,
    Sizes,
)
from ._planes import Planes, planes
from ._trial import Trial
from ._winograd import Tiled, tiled

if TYPE_CHECKING:
    from ._depthwise import Depthwise

_WASTE = 1.5  # multiply-adds with zeros behind the channels counted, per multiply-add; up to it blocks are faster


class Chosen(NamedTuple):
    """How a layer's blobs are to lie, and the code of our own for its passes there, where there is such code."""

    lies: Lies
    ours: Tiled | Depthwise | None
    grouped: Grouped | None
    planes: Planes | None = None

    def grouped_pays(self, what: str) -> bool:
        return self.grouped is not None and self.grouped.pays(what)

    def grouped_fills(self, what: str) -> bool:
        return self.grouped is not None and self.grouped.fills(what)


class FiltersOneDNN(Implementation[Filters]):
    """One bottom and one top of 4 axes."""

    kind: ClassVar[str]  # "convolution" or "deconvolution"
    algorithm: ClassVar[int]

    def weight_shape(self, w: Shape) -> Shape:
        """The weights as oneDNN counts their axes: (outputs, inputs, ...) or, in groups, (groups, ...)."""
        raise NotImplementedError

    def plain_weights(self, w: Shape) -> Description:
        """How the parameter lies, with axes counted so."""
        return onednn.describe(self.weight_shape(w))

    def prepare_in(self, bottoms: Sequence[Layout], shapes: Shapes, wanted: Wanted) -> Prepared:
        return self.prepare_as(self.choose(bottoms[0], shapes), shapes, wanted)

    def choose(self, bottom: Layout, shapes: Shapes) -> Chosen:
        """The layouts in which the layer is fastest; that of its bottom counts only where our code keeps it plain."""
        x, y = shapes.x[0], shapes.y[0]
        if len(shapes.x) != 1 or len(x) != 4 or len(self.weight_shape(shapes.w[0])) not in (4, 5):
            raise Unsupported("only one bottom of 4 axes")
        blocked, bank, training = Layout(onednn.block()), self.layer.bank(x), self.layer.context.phase == TRAIN
        few = x[1] <= 4 and self.layer.own.group == 1
        ours = None if few else self._ours(x, y)
        by_group = grouped(bank, turned=self.kind == "deconvolution", training=training)
        if bottom == PLAIN and ours is None and self.kind == "convolution":
            stays = planes(bank, training=training)
            if stays is not None:
                return Chosen(Lies(PLAIN, PLAIN), None, by_group, stays)
        fast = isinstance(ours, Tiled) and ours.forward().cost.pays
        lies = Lies(PLAIN if few else blocked, blocked)
        if not few and not fast and self._wasteful(x[1], y[1], blocked):
            lies, ours = Lies(Layout(x[1]), Layout(y[1])), None
        if ours is None and by_group is None and not self._has_code(shapes, lies):
            lies = next((other for other in self._others(shapes) if self._has_code(shapes, other)), lies)
        return Chosen(lies, ours, by_group)

    @staticmethod
    def _others(shapes: Shapes, what: str = FORWARD) -> Sequence[Lies]:
        """Layouts in which oneDNN may have code that it has not for another; for few channels the fastest first."""
        blocked, last = Layout(onednn.block()), Lies(Layout(shapes.x[0][1]), Layout(shapes.y[0][1]))
        others = [Lies(blocked, blocked), Lies(PLAIN, PLAIN)]
        return [last, *others] if what == FILTERS else [*others, last]

    def _has_code(self, shapes: Shapes, lies: Lies) -> bool:
        """Whether oneDNN has more than reference code for forward in these layouts."""
        try:
            return "ref" not in self._sizes(shapes, lies).hint.implementation
        except Unsupported:
            return False

    def _ours(self, x: Shape, y: Shape) -> Tiled | Depthwise | None:
        """This layer for code of our own; None where there is none for it."""
        window, group = self.layer.bank(x).window, self.layer.own.group
        if self.kind != "convolution":
            return None
        sizes, training = (window.kernel, window.stride, window.pad, window.dilation), self.layer.context.phase == TRAIN
        fast = tiled(x, y, *sizes, group, training=training)
        if fast is not None or group == 1:
            return fast
        from ._depthwise import depthwise

        return depthwise(x, y, *sizes, group, training=training)

    def _wasteful(self, inputs: int, outputs: int, blocked: Layout) -> bool:
        """Whether much of the work would be on zeros behind the channels of bottom and top: then these lie last."""
        if self.layer.own.group != 1 or outputs % blocked.block == 0 or {8, 16} & {inputs, outputs}:
            return False
        return math.prod(blocked.size((1, n, 1, 1)) / n for n in (inputs, outputs)) > _WASTE

    def prepare_as(self, chosen: Chosen, shapes: Shapes, wanted: Wanted, after: After | None = None) -> Prepared:
        """`after` is done to the top before it is written. Where `shapes.w` has a bias, there is one."""
        bias = shapes.w[1] if len(shapes.w) > 1 else None
        kind = onednn.FORWARD_TRAINING if wanted.backward else onednn.FORWARD_INFERENCE
        makers: dict[str, Callable[[Sizes], Pass]] = {FORWARD: lambda sizes: DirectForward(sizes, kind, after)}
        if any(wanted.params):
            makers[FILTERS] = lambda sizes: DirectWeights(sizes, bias)
        if wanted.bottoms[0]:
            makers[BOTTOM] = DirectData
        by_group = {} if chosen.grouped is None else chosen.grouped.passes(after, wanted)
        direct: dict[str, Callable[[], Pass]] = {
            what: partial(self._direct, chosen, what, make, shapes, by_group.get(what)) for what, make in makers.items()
        }
        if chosen.planes is not None:
            direct |= chosen.planes.passes(after, wanted)
        ours = {} if chosen.ours is None else chosen.ours.passes(after, wanted, biased=bias is not None)
        if BACKWARD in ours:
            direct[BACKWARD] = partial(DirectBackward, direct.pop(FILTERS), direct.pop(BOTTOM))
        self.either = set(ours)  # passes that could go either way
        self.passes = {what: self._faster(what, shapes, make, ours.get(what)) for what, make in direct.items()}
        self.backward_passes = list(self.passes.values())[1:]
        buffers = {name: buffer for one in self.passes.values() for name, buffer in one.buffers.items()}
        return Prepared(Layouts((chosen.lies.x,), (chosen.lies.y,)), buffers)

    def _direct(
        self, chosen: Chosen, what: str, make: Callable[[Sizes], Pass], shapes: Shapes,
        grouped: Callable[[], Pass] | None,
    ) -> Pass:  # fmt: skip
        """A pass by oneDNN. Where it has no code for blobs that lie so, or ours is faster, `grouped` by ours; or by
        oneDNN on copies in other layouts."""
        here, blocked = chosen.lies, Lies(*(Layout(onednn.block()),) * 2)
        if grouped is not None and chosen.planes is not None:
            return Converted(what, grouped(), shapes, here, blocked)
        if grouped is not None and here == blocked and chosen.grouped_pays(what):
            return grouped()
        try:
            return make(self._sizes(shapes, here))
        except Unsupported as error:
            reason = error
        if grouped is not None and chosen.grouped_fills(what):
            return grouped() if here == blocked else Converted(what, grouped(), shapes, here, blocked)
        for lies in self._others(shapes, what):
            with suppress(Unsupported):
                return Converted(what, make(self._sizes(shapes, lies)), shapes, here, lies)
        raise reason

    def _faster(self, what: str, shapes: Shapes, direct: Callable[[], Pass], fast: Pass | None) -> Pass:
        """The pass `what` by oneDNN, or where code of our own can do it, the faster: by the rule, or as timed."""
        if fast is None:
            return direct()
        ways, context = ((fast.way, DIRECT) if fast.pays else (DIRECT, fast.way)), self.layer.context
        key = self._key(what, shapes)
        way = context.choices.way(key, ways) if context.phase == TRAIN else ways[0]
        if way is not None:
            return fast if way == fast.way else direct()
        found = {fast.way: fast, DIRECT: direct()}  # under this name also what takes its place where oneDNN has no code
        return Trial(context.choices, key, {name: found[name] for name in ways})

    def _key(self, what: str, shapes: Shapes) -> str:
        """All that the time of a pass depends on, but what it does to its results on the way out: a layer goes the same
        way with others as alone, so that looking at its blobs changes no number."""
        window, group = self.layer.bank(shapes.x[0]).window, self.layer.own.group
        sizes = f"{shape_text(shapes.x[0])} to {shape_text(shapes.y[0])}, {shape_text(window.kernel)}"
        bias = ", bias" if len(shapes.w) > 1 else ""
        return f"{what}: {sizes}, pad {shape_text(window.pad)}, group {group}{bias}, {threads.wanted()} threads"

    def _sizes(self, shapes: Shapes, lies: Lies) -> Sizes:
        window = self.layer.bank(shapes.x[0]).window
        pads, channels = onednn.dims(*window.pad), (shapes.x[0][1], shapes.y[0][1])
        last = not {lies.x, lies.y} <= {PLAIN, Layout(onednn.block())}
        return Sizes(
            kind=self.kind, algorithm=self.algorithm, x=_described(shapes.x[0], lies.x, lies.y),
            y=_described(shapes.y[0], lies.y, lies.x),
            weights=Description(self.weight_shape(shapes.w[0]), "any"), plain_w=self.plain_weights(shapes.w[0]),
            bias=Description(shapes.w[1], "a") if len(shapes.w) > 1 else None,
            window=[onednn.dims(*window.stride), onednn.dims(*(d - 1 for d in window.dilation)), pads, pads],
            training=self.layer.context.phase == TRAIN,
            overruns=last and max(window.stride) > 1 and any(n % onednn.block() for n in channels),
        )  # fmt: skip

    def ways(self) -> Mapping[str, str]:
        rule = "" if self.layer.context.choices.measured else " by rule"
        return {what: one.way + rule * (what in self.either) for what, one in self.passes.items()}

    def bind(self, io: Arrays, added: Added = NOTHING) -> None:
        """`added` is what forward adds to the top, as `after` says."""
        for what, one in self.passes.items():
            one.bind(io, added if what == FORWARD else NOTHING)

    @property
    def keeps(self) -> bool:
        """Whether forward reads the weights only when they have changed."""
        return self.passes[FORWARD].keeps

    def forward(self, io: Arrays) -> None:
        self.passes[FORWARD].run(io)

    def backward(self, io: Arrays) -> None:
        for one in self.backward_passes:
            one.run(io)


def _described(shape: Shape, layout: Layout, other: Layout) -> Description:
    """A blob beside another: one channel lies last where the other's do, which oneDNN has to be told."""
    last = shape[1] == 1 and other not in (PLAIN, Layout(onednn.block()))
    return Description(shape, "acdb") if last else onednn.describe(shape, layout)

"""One layer of a net on its device: its implementation, its buffers, and the arrays it works on.

Where a blob does not lie as the implementation wants it, a `Crossing` stands in between (brew.net.run.crossing).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from brew import cuda
from brew.cpu import onednn
from brew.graph.layer_checks import check_shapes
from brew.layer import (
    Array,
    Arrays,
    Buffer,
    ChangeCount,
    Implementation,
    Layer,
    Shape,
    Shapes,
    Unsupported,
    Wanted,
    count,
    shape_text,
)
from brew.layer.data_layer import DataLayer
from brew.layer.layout import PLAIN
from brew.memory.arena import Lease
from brew.memory.blob import Blob, Memory
from brew.memory.keys import SAVED, Key
from brew.memory.scratch import Scratch, elements
from brew.memory.stamps import Stamps

from .crossing import Crossing

Direction: TypeAlias = Literal["forward", "again", "backward"]


class Step:
    """One layer, or a fused group of them, on its device.

    `candidates` are the implementations to try, the best first; the last one takes anything. `apart` says why a layer
    does not run in place though the file says so; "" where it does (brew.graph.versions).
    """

    def __init__(
        self, layer: Layer, bottoms: Sequence[Blob], tops: Sequence[Blob], params: Sequence[Blob], wanted: Wanted,
        candidates: Sequence[Implementation[Any]], stamps: Stamps, device: str, *, loss_weights: Sequence[float],
        apart: str = "",
    ) -> None:  # fmt: skip
        self.layer, self.apart = layer, apart
        self.bottoms, self.tops, self.params = list(bottoms), list(tops), list(params)
        self.loss_weights = loss_weights
        self.wanted = wanted
        self.candidates = candidates
        self.stamps = stamps
        self.device = device
        self.shown = [b.shown for b in (*self.bottoms, *self.tops) if b.shown is not None]
        self.views = [layer.view(t) for t in range(len(self.tops))]
        self.shapes = self.current_shapes()
        self.buffers: dict[str, Buffer] = {}
        self.kept: dict[str, Array] = {}
        self.io: Arrays | None = None
        self.key: tuple[int, ...] = ()
        self.reads_data = isinstance(layer, DataLayer)
        self.seen = -1  # the latest stamp when its own stamps were last compared
        self.leases: dict[Key, Lease] = {}  # what the memory plan gives the step itself
        self.redirect: Array | None = None  # where the one top goes instead of into its blob (brew.net.run.fusion)
        self.values, self.gradients = (Crossing(what, self.leases) for what in ("values", "gradients"))
        # A layer whose every wanted gradient is its top's own memory has nothing to do in backward.
        pure_view = any(v is not None and v.diff for v in self.views)
        self.runs_backward = wanted.backward and not (pure_view and not any(wanted.params))

    @property
    def once(self) -> bool:
        """Whether forward may not run twice in a pass: it brings data, goes on from the batch before, or says so."""
        carries = any(buffer.carried for buffer in self.buffers.values())
        return not self.bottoms or self.layer.once or self.asks_for_shapes or carries

    @property
    def reads(self) -> frozenset[str]:
        """Which values backward reads, of "x" and "y"."""
        return self.layer.reads

    @property
    def over(self) -> Sequence[tuple[int, int]]:
        """Pairs (bottom, top): the one's gradient may lie where the other's does."""
        return self.implementation.over

    def current_shapes(self) -> Shapes:
        return Shapes(*(tuple(b.shape for b in blobs) for blobs in (self.bottoms, self.tops, self.params)))

    def current_key(self, scratch: Scratch) -> tuple[int, ...]:
        return (scratch.stamp, *(b.stamp for blobs in (self.bottoms, self.tops, self.shown) for b in blobs))

    def prepare(self, scratch: Scratch) -> None:
        """Choose the implementation for the current shapes and layouts, and ask it for its buffers."""
        self.shapes = self.current_shapes()
        given = [b.data_memory.layout for b in self.bottoms]
        for implementation in self.candidates:
            try:
                prepared = implementation.prepare_in(given, self.shapes, self.wanted)
            except Unsupported:
                continue
            self.implementation = implementation
            self.layouts, self.buffers = prepared.layouts, dict(prepared.buffers)
            break
        else:
            self.shapes = Shapes((), ())  # for none, until it is tried again
            raise Unsupported(self.layer.name)
        self.asks_for_shapes = type(self.implementation).top_shapes is not Implementation.top_shapes
        scratch.need(self._scratch().values())

    def lay_tops(self, plain: Container[Memory]) -> None:
        """Let the tops lie as the implementation gives them; memories in `plain` stay as they are."""
        for blob, view, layout in zip(self.tops, self.views, self.layouts.y, strict=True):
            if blob in self.bottoms:
                continue
            own = (blob.data_memory, blob.diff_memory) if view is None else () if view.diff else (blob.diff_memory,)
            for memory in own:
                memory.lie(PLAIN if memory in plain else layout, onednn.copy)

    def _typed(self) -> dict[str, tuple[Buffer, np.dtype[Any]]]:
        own = self.layer.context.dtype
        return {name: (buffer, np.dtype(buffer.dtype or own)) for name, buffer in self.buffers.items()}

    def _scratch(self) -> dict[str, tuple[Buffer, np.dtype[Any]]]:
        return {name: typed for name, typed in self._typed().items() if not (typed[0].kept or typed[0].saved)}

    def scratch_elements(self) -> Mapping[np.dtype[Any], int]:
        return elements(self._scratch().values())

    def saved_elements(self) -> Iterator[tuple[str, np.dtype[Any], int]]:
        """Name, type and number of what forward leaves for backward."""
        for name, (buffer, dtype) in self._typed().items():
            if buffer.saved:
                yield name, dtype, count(buffer.shape)

    @property
    def kept_bytes(self) -> int:
        return sum(count(b.shape) * dtype.itemsize for b, dtype in self._typed().values() if b.kept)

    def reshape(self) -> None:
        """Bring the tops to what the bottoms' shapes ask for now."""
        for blob, view in zip(self.tops, self.views, strict=True):
            if view is not None:
                blob.share(self.bottoms[view.bottom], diff=view.diff)
        if self.layer.is_filled:
            for blob in self.tops:
                if blob.shown is not None:  # the caller has reshaped the one that is shown
                    blob.reshape(*blob.shown.shape)
        bottom = [b.shape for b in self.bottoms]
        known = self.asks_for_shapes or tuple(b.shape for b in self.tops) == self.shapes.y
        if not self.bottoms or (known and tuple(bottom) == self.shapes.x):
            return
        tops = self.layer.infer_shapes(bottom)
        check_shapes(self.layer, tops)
        for blob, shape in zip(self.tops, tops, strict=True):
            blob.reshape(*shape)
        declared = [p.shape for p in self.layer.declare_params(bottom)]
        for i, (blob, shape) in enumerate(zip(self.params, declared, strict=True)):
            if blob.count != count(shape):
                raise self.layer.error(
                    f"its parameter {i} is {shape_text(blob.shape)}, "
                    f"but bottoms of {', '.join(map(shape_text, bottom))} need {shape_text(shape)}"
                )

    def bind(self, scratch: Scratch, passes: Array, changes: ChangeCount) -> None:
        """Make the arrays of forward and backward at the current shapes."""
        needs = self._scratch()
        work = scratch.arrays(needs, self.leases)
        work |= {name: self._own(name, *typed) for name, typed in self._typed().items() if name not in needs}
        want, layouts = self.wanted, self.layouts
        shared = {v.bottom for v in self.views if v is not None and v.diff}
        values, gradients = (Crossing(what, self.leases) for what in ("values", "gradients"))
        self.io = Arrays(
            x=[values.reads(b.data_memory, b.shape, lay) for b, lay in zip(self.bottoms, layouts.x, strict=True)],
            y=[values.writes(b.data_memory, b.shape, lay) for b, lay in zip(self.tops, layouts.y, strict=True)],
            w=[b.data_memory.array(b.shape) for b in self.params],
            dy=[gradients.reads(b.diff_memory, b.shape, lay) for b, lay in zip(self.tops, layouts.y, strict=True)]
            if want.backward
            else [],
            dx=[
                gradients.writes(b.diff_memory, b.shape, lay) if wanted and i not in shared else None
                for i, (b, wanted, lay) in enumerate(zip(self.bottoms, want.bottoms, layouts.x, strict=True))
            ],
            dw=[
                b.diff_memory.array(b.shape) if wanted else None
                for b, wanted in zip(self.params, want.params, strict=True)
            ],
            work=work,
            passes=passes,
            changes=changes,
        )
        if self.layer.writes_bottoms:
            for blob, lay in zip(self.bottoms, layouts.x, strict=True):
                values.writes(blob.data_memory, blob.shape, lay)
        if self.redirect is not None and self.redirect.shape == self.io.y[0].shape:
            self.io.y = [self.redirect]
        self._show(values, gradients)
        self.values, self.gradients = values, gradients
        self.implementation.bind(self.io)
        self.key = self.current_key(scratch)

    def _show(self, values: Crossing, gradients: Crossing) -> None:
        """One blob stands for all versions of a name (graph.versions), as in place one memory would: what the caller
        fills goes from there into the first version, and it has the gradient that was made last."""
        assert self.io is not None
        if self.layer.is_filled:
            for blob in self.tops:
                if blob.shown is not None:
                    values.moves(blob.shown.data_memory, blob.data_memory, blob.shape)
        for blob, dx in zip(self.bottoms, self.io.dx, strict=True):
            shows = blob.shows_gradient and dx is not None
            if blob.shown is not None and shows and blob.shown.diff_memory.lease is None:
                gradients.moves(blob.diff_memory, blob.shown.diff_memory, blob.shape)

    def top_shapes(self) -> Sequence[Shape]:
        """The shapes that the bottoms' values give the tops of the bound step."""
        assert self.io is not None
        for copy in self.values.before:
            copy()
        shapes = self.implementation.top_shapes(self.io) or ()
        for copy in self.values.after if self.layer.writes_bottoms else ():
            copy()
        return shapes

    def forward(self) -> None:
        """Run the bound step."""
        self._run(self.values, self.implementation.forward)

    def backward(self) -> None:
        """Run the bound step's backward."""
        self._run(self.gradients, self.implementation.backward)

    def forward_after(self, values: Crossing, memories: Collection[Memory]) -> None:
        """`forward`, with what `values` has of these memories: they themselves may be gone."""
        for copy in self.values.before:
            copy()
        self.values.adopt(values, memories)
        assert self.io is not None
        self.implementation.forward(self.io)
        for copy in self.values.after:
            copy()

    def again(self) -> None:
        """Run the bound step's forward once more in one pass."""
        self._run(self.values, self.implementation.again)

    def bound(self, direction: Direction) -> Callable[[], object]:
        """`forward`, `again` or `backward` until the step is bound anew, with less to ask."""
        crossing = self.gradients if direction == "backward" else self.values
        if crossing.before or crossing.after:
            return cast(Callable[[], object], getattr(self, direction))
        assert self.io is not None
        return partial(getattr(self.implementation, direction), self.io)

    def _run(self, crossing: Crossing, compute: Callable[[Arrays], None]) -> None:
        assert self.io is not None
        for copy in crossing.before:
            copy()
        compute(self.io)
        for copy in crossing.after:
            copy()

    def _own(self, name: str, buffer: Buffer, dtype: np.dtype[Any]) -> Array:
        """What the layer keeps, or saves for backward where the plan has no place for that."""
        lease = self.leases.get((SAVED, name)) if buffer.saved else None
        planned = lease.array(buffer.shape) if lease is not None else None
        if planned is not None:
            return planned
        old = self.kept.get(name)
        if old is None or old.shape != buffer.shape or old.dtype != dtype:
            make = np.zeros if self.device == "cpu" else cuda.zeros
            self.kept[name] = make(buffer.shape, dtype)
        return self.kept[name]

    def carried(self) -> dict[str, Array]:
        """What the layer keeps for the next batch, by name; nothing before its first forward."""
        return {n: self.kept[n] for n, buffer in self.buffers.items() if buffer.carried and n in self.kept}

    def carry(self, values: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from `values`, as `carried` gave them; where there are none, as from the start."""
        for name in self.carried():
            del self.kept[name]
        for name, value in values.items():
            self.kept[name] = value.copy() if self.device == "cpu" else cuda.asarray(value)
        self.unbind()

    def unbind(self) -> None:
        """Its arrays are to be made anew before it runs again."""
        self.io = None
        self.stamps.changed()

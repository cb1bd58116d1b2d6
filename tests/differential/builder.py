"""What rows of the table work with: a case that grows layer by layer, and where the draws come from."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from google.protobuf import text_format

from brew.errors import BrewError
from brew.layer import TRAIN, Shape
from brew.proto.brew_pb2 import LayerParameter

from .case import Case, Op, Value, made

HDF5_ROWS = ("rows", "more")  # the datasets of files.py: an HDF5Data's tops have to be called so
MOST = 2000  # elements of a value


class Misfit(Exception):
    """A layer that was tried does not fit: something else is."""


class Builder:
    """A case that grows. `rng` gives the same draws for ever for the same seed and number."""

    def __init__(self, seed: int, number: int) -> None:
        self.rng = random.Random(f"{seed}/{number}")
        phase = TRAIN if self.rng.random() < 0.7 else 1 - TRAIN
        self.case = Case(seed, number, phase, force=self.rng.random() < 0.2)
        self.style = "free"
        self._made = 0
        self.inplace = 0.5  # how often a layer that may overwrites its bottom

    def value(self, number: int) -> Value:
        return self.case.values[number]

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def pick(self, *among: Any) -> Any:
        return self.rng.choice(among)

    # --- sources --------------------------------------------------------------------------------------------------

    def input(self, shape: Shape, *, low: float | None = None, classes: int = 0, most: float = 2.0) -> int:
        """A value from outside."""
        param = LayerParameter(type="Input")
        param.input_param.shape.add(dim=shape)
        top = self._new(Value(shape, most, low, classes))
        self.case.ops.append(Op(f"in{top}", param, [], [top]))
        return top

    def shape(self, axes: int | None = None) -> Shape:
        """A shape of this many axes."""
        axes = axes or self.rng.choice([4] * 6 + [2] * 3 + [3, 5, 1])
        batch = self.rng.choice([1, 2, 2, 3])
        if axes == 1:
            return (batch,)
        channels = self.rng.choice([1, 2, 3, 4, 5, 8, 8, 13, 16, 16, 17])
        side = {2: [], 3: [1, 2, 5, 7], 4: [1, 2, 3, 4, 5, 6, 7, 8, 9], 5: [1, 2, 3, 4]}[axes]
        if axes == 4 and self.chance(0.06):
            return (batch, channels, 1, 1)
        if axes == 4 and self.chance(0.5):
            size = self.rng.choice([5, 6, 7, 8])
            return (batch, channels, size, size)
        return (batch, channels, *(self.rng.choice(side) for _ in range(axes - 2)))

    def source(self, axes: int | None = None) -> int:
        """Something to begin with."""
        return self.input(self.shape(axes), low=self.pick(None, None, None, 0.1))

    # --- layers ---------------------------------------------------------------------------------------------------

    def add(
        self, kind: str, bottoms: Sequence[int], fields: str = "", *, tops: int = 1, most: float = 1.0,
        low: float | None = None, smooth: Sequence[bool] | bool = True, row: str = "", loose: bool = False,
    ) -> list[int]:  # fmt: skip
        """A layer of this type and text; its tops. Misfit where it does not fit."""
        param = text_format.Parse(f'type: "{kind}" {fields}', LayerParameter())
        names = HDF5_ROWS if kind == "HDF5Data" else ()
        op = Op(
            f"{kind.lower()}{len(self.case.ops)}",
            param,
            list(bottoms),
            list(range(tops)),
            row=row or self.style,
            names=names,
        )
        try:
            layer, shapes, params = made(op, self.case.phase, [self.value(b).shape for b in bottoms])
        except BrewError as error:
            raise Misfit(str(error)) from error
        if any(self.value(n).loose for n in bottoms):
            self._loose(op, params)
            loose = True
        if any(len(s) > 6 or Value(s).count > MOST or Value(s).count < 1 for s in shapes) or len(shapes) != tops:
            raise Misfit("too large, or empty")
        if any(Value(s).count > 40 * MOST for s in params):
            raise Misfit("too many parameters")
        flags = [smooth] * tops if isinstance(smooth, bool) else list(smooth)
        op.tops = [self._new(Value(s, max(most, 1e-3), low, 0, f, loose)) for s, f in zip(shapes, flags, strict=True)]
        op.over = self.chance(self.inplace)
        if op.bottoms and not param.propagate_down:
            self._propagate(op, set(layer.no_gradient))
        self._freeze(op, len(params), [p.learned for p in layer.declare_params([self.value(b).shape for b in bottoms])])
        self.case.ops.append(op)
        return op.tops

    def _loose(self, op: Op, params: Sequence[Shape]) -> None:
        """Misfit unless a layer takes any number of items."""
        if len(op.bottoms) > 1:
            raise Misfit("which items there are depends on values")
        for batch in (1, 2, 3, 4):
            try:
                _, shapes, other = made(op, self.case.phase, [(batch, *self.value(op.bottoms[0]).shape[1:])])
            except BrewError as error:
                raise Misfit(str(error)) from error
            if other != params or any(not Value(s).count for s in shapes):
                raise Misfit("its parameters depend on the number of items")

    def _propagate(self, op: Op, never: set[int]) -> None:
        """Bottoms that can have no gradient say so; sometimes others do, or ask for one."""
        if never and len(never) == len(op.bottoms):
            op.param.propagate_down.extend([False] * len(op.bottoms))
        elif never or self.chance(0.03):
            blocked = {i for i, b in enumerate(op.bottoms) if i in never or not self.value(b).smooth}
            hard = any(
                not self.value(b).classes and self.case.maker()[b].type != "Input"
                for i, b in enumerate(op.bottoms)
                if i in never
            )
            if hard or self.chance(0.1):
                op.param.propagate_down.extend(i not in blocked and self.chance(0.8) for i in range(len(op.bottoms)))

    def _freeze(self, op: Op, params: int, learned: Sequence[bool]) -> None:
        """Each subset of a layer's parameters stays as it is, now and then."""
        if not params or op.param.param or not self.chance(0.45):
            return
        for number in range(params):
            frozen = self.chance(0.6)
            spec = op.param.param.add()
            if frozen or not learned[number]:
                spec.lr_mult = 0
            elif self.chance(0.2):
                spec.lr_mult, spec.decay_mult = 2, 0

    def _new(self, value: Value) -> int:
        number = self._made
        self._made += 1
        self.case.values[number] = value
        return number

    # --- values that go with others ------------------------------------------------------------------------------

    def like(self, number: int, *, fresh: bool = False) -> int:
        """A value of the same shape: one that there is (the same, now and then), or one that is made."""
        shape, smooth = self.value(number).shape, self.value(number).smooth
        others = [
            n
            for n, v in self.case.values.items()
            if v.shape == shape and v.smooth and n != number and not v.classes and not v.loose
        ]
        draw = self.rng.random()
        if not fresh and others and draw < 0.6:
            return self.rng.choice(others)
        if not fresh and draw < 0.65:
            return number
        if not fresh and smooth and draw < 0.8:
            kind = self.pick("TanH", "Sigmoid", "Power")
            return self.add(
                kind, [number], "power_param { scale: -0.5 shift: 0.3 }" * (kind == "Power"), most=1.0, row="like"
            )[0]
        return self.input(shape)

    def labels(self, shape: Shape, classes: int) -> int:
        """Integers below `classes`."""
        same = [n for n in self.case.inputs if self.value(n).shape == shape and self.value(n).classes == classes]
        return self.rng.choice(same) if same and self.chance(0.5) else self.input(shape, classes=classes)

    def smooth(self, *, loose: bool = False) -> list[int]:
        """The values that layers may read, the newest last."""
        return [n for n, v in self.case.values.items() if v.smooth and not v.classes and (loose or not v.loose)]

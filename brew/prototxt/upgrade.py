"""Nets and solvers of Caffe's earlier formats in today's words. The rules and their order are Caffe's.

    1  V0, of 2013: layers { layer { type: "conv" } }     its fields, and padding layers folded into their readers
    2  V1: scale, mean_file, crop_size, mirror            from a data layer's own fields to its transform_param
    3  V1, of 2014: layers { type: CONVOLUTION }          layer { type: "Convolution" }, with param { }
    4  input, input_shape, input_dim of a net             one Input layer, named "input", first
    5  BatchNorm with three param { }                     lr_mult and decay_mult 0: statistics are not learned
    6  solver_type of a solver                            type
    7  field 14 of a binary pooling_param (a fork's)      round_mode

The given message is never changed, and every layer keeps its places in the old text. One line in the log lists the
upgrades.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from brew.errors import Place, SolverError
from brew.proto.brew_pb2 import LayerParameter, NetParameter, SolverParameter, V1LayerParameter

from .document import Document
from .placed import PlacedLayer, placed_layers
from .portable import input_layer
from .upgrade_origin import OldLayer, Origin, Trace, assign
from .upgrade_pooling import with_round_mode

log = logging.getLogger("brew")

_SOLVER_TYPES = {
    SolverParameter.SGD: "SGD",
    SolverParameter.NESTEROV: "Nesterov",
    SolverParameter.ADAGRAD: "AdaGrad",
    SolverParameter.RMSPROP: "RMSProp",
    SolverParameter.ADADELTA: "AdaDelta",
    SolverParameter.ADAM: "Adam",
}


@dataclass(frozen=True, slots=True)
class UpgradedNet:
    """A net in today's format. `shell` has all of it but the layers; `complete`: no field was lost."""

    shell: NetParameter
    layers: list[PlacedLayer]
    complete: bool = True

    def message(self) -> NetParameter:
        """The whole net."""
        net = NetParameter()
        net.CopyFrom(self.shell)
        net.layer.extend(source.param for source in self.layers)
        return net


def upgrade_net(
    net: NetParameter,
    document: Document[Any] | None = None,
    prefix: Sequence[str | int] = (),
    *,
    file: str | None = None,
) -> UpgradedNet:
    """`net` in today's format. It is `document`'s message, or the one at `prefix` within it, or came from `file`.

    NetError where Caffe too would stop: `layer` and `layers` in one net, a type that never was, a padding layer that
    cannot be folded; and where inputs lack a shape that other inputs have.
    """
    origin = _origin(net, document, prefix, file)
    shell = NetParameter()
    for field, value in net.ListFields():
        if field.name not in ("layer", "layers"):
            assign(shell, field.name, value)
    done: list[str] = []  # in words
    layers = _old_layers(net, shell, origin, done) if net.layers else placed_layers(net, document, prefix)
    layers = _with_inputs(shell, layers, origin, done)
    layers = with_round_mode(_fixed_batch_norm(layers, done), done)
    if done:
        head = "" if net.layers else "upgraded: "
        log.info("%s: %s%s", origin.name, head, ", ".join(done))
    return UpgradedNet(shell, layers, origin.complete)


def upgrade_solver_type(solver: SolverParameter, place: Place | None = None) -> None:
    """Rule 6, in place. SolverError at `place` where both names are given."""
    if not solver.HasField("solver_type"):
        return
    if solver.HasField("type"):
        raise SolverError("solver: type and solver_type are both given", place=place, hint='keep type: "..."')
    name = SolverParameter.SolverType.Name(solver.solver_type)
    solver.type = _SOLVER_TYPES[solver.solver_type]
    solver.ClearField("solver_type")
    log.info('solver_type: %s is read as type: "%s"', name, solver.type)


def upgrade_solver(
    solver: SolverParameter, document: Document[SolverParameter] | None = None, *, file: str | None = None
) -> tuple[SolverParameter, bool]:
    """A copy of `solver` in today's format, the nets written inside it too, and whether every field was kept."""
    new = SolverParameter()
    new.CopyFrom(solver)
    upgrade_solver_type(new, document.place("solver_type") if document else None)
    complete = True
    for field in ("net_param", "train_net_param", "test_net_param"):
        inner = getattr(new, field)
        several = field == "test_net_param"
        paths = [(field, i) for i in range(len(inner))] if several else [(field,)] if new.HasField(field) else []
        for path, net in zip(paths, inner if several else [inner], strict=False):
            upgraded = upgrade_net(net, document, path, file=file)
            complete &= upgraded.complete
            net.CopyFrom(upgraded.message())
    return new, complete


def _origin(net: NetParameter, document: Document[Any] | None, prefix: Sequence[str | int], file: str | None) -> Origin:
    if document and prefix:
        name = f"{document.place(*prefix)}: {prefix[0]}"
    else:
        name = document.file if document else file or f'net "{net.name}"'
    return Origin(name, document, prefix)


def _old_layers(net: NetParameter, shell: NetParameter, origin: Origin, done: list[str]) -> list[PlacedLayer]:
    """Rules 1 to 3."""
    from .upgrade_v0 import check_net_fields, from_v0, is_v0  # for old nets alone
    from .upgrade_v1 import from_v1, move_transform

    if net.layer:
        also = origin.place("layers", 0)
        raise origin.error(
            "`layer` stands beside `layers`" + (f" (at {also})" if also else "") + "; a net has one of them",
            ("layer", 0), hint='`layers` is the format before 2015; write layer { type: "Convolution" ... } throughout',
        )  # fmt: skip
    old_layers = []
    for i, layer in enumerate(net.layers):
        old_layers.append(OldLayer(V1LayerParameter(), Trace(("layers", i))))
        old_layers[-1].param.CopyFrom(layer)
    if is_v0(net):
        done.append("upgraded from the format of 2013 (V0)")
        check_net_fields(shell, origin)
        old_layers = from_v0(old_layers, origin)
    else:
        done.append("upgraded from the format of 2014 (V1)")
    if any([move_transform(old) for old in old_layers]):
        done.append("image fields moved to transform_param")
    return [PlacedLayer(from_v1(old), partial(_place, origin, old.trace)) for old in old_layers]


def _place(origin: Origin, trace: Trace, *path: str | int) -> Place | None:
    return origin.place(*trace.written(*path))


def _with_inputs(shell: NetParameter, layers: list[PlacedLayer], origin: Origin, done: list[str]) -> list[PlacedLayer]:
    """Rule 4. `shell` loses its input fields."""
    names = list(shell.input)
    if not names:
        return layers
    trace = Trace(("input", 0), {("top", i): ("input", i) for i in range(len(names))})
    shapes = _input_shapes(shell, trace)
    shaped = bool(shell.input_shape or shell.input_dim)
    given = f"{len(names)} inputs, but {len(shell.input_shape)} input_shape and {len(shell.input_dim)} input_dim"
    for field in ("input", "input_shape", "input_dim"):
        shell.ClearField(field)
    if not shaped:
        log.warning("%s: input has no shape: left out", origin.place("input", 0) or origin.name)
        return layers
    if len(shapes) < len(names):
        hint = "give one input_shape { dim: ... } for each input, or four input_dim"
        raise origin.error(given, ("input", 0), hint=hint)
    if len(shapes) > len(names):
        log.warning("%s: %s: the last shapes are not used", origin.place("input", 0) or origin.name, given)
    done.append('input became the layer "input"')
    layer = input_layer("input", names, shapes[: len(names)])
    return [PlacedLayer(layer, partial(_place, origin, trace)), *layers]


def _input_shapes(shell: NetParameter, trace: Trace) -> list[Sequence[int]]:
    """The shapes of a net's inputs, one by one or in fours; `trace` learns where they stand."""
    if shell.input_shape:
        trace.moved.update({("input_param", "shape", i): ("input_shape", i) for i in range(len(shell.input_shape))})
        return [tuple(shape.dim) for shape in shell.input_shape]
    dims = shell.input_dim
    trace.moved.update({("input_param", "shape", d // 4, "dim", d % 4): ("input_dim", d) for d in range(len(dims))})
    return [tuple(dims[d : d + 4]) for d in range(0, len(dims) - 3, 4)]


def _fixed_batch_norm(layers: list[PlacedLayer], done: list[str]) -> list[PlacedLayer]:
    """Rule 5."""
    result = []
    for source in layers:
        specs = source.param.param
        if source.param.type == "BatchNorm" and len(specs) == 3 and any(s.lr_mult or s.decay_mult for s in specs):
            param = LayerParameter()
            param.CopyFrom(source.param)
            for spec in param.param:
                spec.lr_mult = spec.decay_mult = 0
            source = PlacedLayer(param, source.place)
        result.append(source)
    fixed = sum(new is not old for new, old in zip(result, layers, strict=True))
    if fixed:
        done.append(f"lr_mult and decay_mult of {fixed} BatchNorm layers set to 0")
    return result

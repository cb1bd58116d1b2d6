"""Messages -> checked graph: layers, blobs, shapes, parameters and which gradients flow. No array is made here.

The order and the rules are those of Caffe's Net::Init, but nothing is allocated before everything is known, and errors
name the layer, its line and the shapes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from brew.errors import NetError
from brew.layer import Context, Layer, Param, Shape, count, registry, shape_text
from brew.proto.brew_pb2 import LayerParameter, ParamSpec
from brew.prototxt.placed import PlacedLayer

from .foreign import unknown_layer_hint
from .graph import BlobNode, Graph, Node, ParamNode
from .layer_checks import check_counts, check_shapes, gradient_errors, loss_weights, made_twice

Version: TypeAlias = tuple[int, int]  # a blob, and how often it has been written
AUTOMATIC = "(automatic)"  # Caffe's name for the top of a loss that the file does not name


def build(
    layers: Sequence[PlacedLayer],
    context: Callable[[PlacedLayer], Context],
    *,
    force_backward: bool = False,
    forward_only: bool = False,
) -> Graph:
    """The graph of `layers` (filtered, splits inserted). NetError for the first mistake."""
    builder = Builder(force_backward)
    for number, source in enumerate(layers):
        builder.add(number, source, context(source))
    builder.plan_backward()
    graph = builder.graph
    names = {graph.blobs[b].name: b for b in builder.unread}
    graph.outputs = [names[n] for n in sorted(names)]
    return graph.without_backward() if forward_only else graph


class Builder:
    """Adds layer after layer to a graph. Raises at the first mistake; `brew check` overrides `refuse` to go on."""

    def __init__(self, force_backward: bool) -> None:
        self.force_backward = force_backward
        self.graph = Graph([], [], [], [], [])
        self.newest: dict[str, int] = {}
        self.unread: dict[int, None] = {}  # tops that no layer has read so far, in order
        self.named_params: dict[str, int] = {}

    def add(self, number: int, source: PlacedLayer, context: Context) -> None:
        layer = make_layer(source, context)
        param = layer.param
        check_counts(layer, param)
        bottoms = [self._read(name) for name in param.bottom]
        bottom_shapes = [self.graph.blobs[b].shape for b in bottoms]
        shapes = layer.infer_shapes(bottom_shapes)
        check_shapes(layer, shapes)
        node = Node(layer, source, bottoms, [], [], [], False, [])
        self.graph.nodes.append(node)
        node.tops = self._make_tops(number, node, shapes)
        node.top_shapes = shapes
        node.loss_weights = loss_weights(layer, len(node.tops))
        if layer.is_filled:
            self.graph.inputs.extend(node.tops)
        self._add_params(number, node, layer.declare_params(bottom_shapes))
        self._mark(node, param)

    def refuse(self, error: NetError) -> None:
        """Called with an error after which building could go on."""
        raise error

    def _read(self, name: str) -> int:
        blob = self.newest[name]  # splits.insert_splits has answered for unknown names
        self.unread.pop(blob, None)
        return blob

    def _make_tops(self, number: int, node: Node, shapes: list[Shape]) -> list[int]:
        param = node.layer.param
        names = list(param.top)
        names += [AUTOMATIC] * (len(shapes) - len(names) if node.layer.is_loss else 0)
        if len(names) != len(shapes):
            hint = "a line top: for each of them, with a name of its own"
            raise node.layer.error(f"makes {len(shapes)} tops, {len(names)} are named", "top", hint=hint)
        tops = []
        for t, (name, shape) in enumerate(zip(names, shapes, strict=True)):
            in_place = t < len(param.bottom) and name == param.bottom[t]
            if in_place:
                tops.append(self._overwrite(node, t, shape))
                continue
            if name in self.newest and t < len(param.top):
                raise made_twice(node.layer, t, self.graph.nodes[self.graph.blobs[self.newest[name]].producer :])
            self.graph.blobs.append(BlobNode(name, shape, number))
            blob = len(self.graph.blobs) - 1
            tops.append(blob)
            if t < len(param.top):
                self.newest[name] = blob
                self.unread[blob] = None
        return tops

    def _overwrite(self, node: Node, t: int, shape: Shape) -> int:
        blob = node.bottoms[t]
        layer = node.layer
        if not layer.in_place:
            raise layer.error(
                f'cannot run in place: top and bottom are both "{self.graph.blobs[blob].name}"',
                "top", t, hint="give the top a name of its own",
            )  # fmt: skip
        if shape != self.graph.blobs[blob].shape:
            raise layer.error(
                f"cannot run in place: {shape_text(self.graph.blobs[blob].shape)} becomes {shape_text(shape)}",
                "top", t, hint="give the top a name of its own",
            )  # fmt: skip
        self.unread[blob] = None
        return blob

    def _add_params(self, number: int, node: Node, declared: list[Param]) -> None:
        specs = node.layer.param.param
        if len(specs) > len(declared):
            raise node.layer.error(
                f"has {len(declared)} parameter blobs, {len(specs)} param {{ }} are given", "param", len(declared),
                hint="one param { } for each at most: mostly the weights, then the bias where bias_term is not false",
            )  # fmt: skip
        check_shapes(node.layer, [blob.shape for blob in declared], "parameter")
        for i, blob in enumerate(declared):
            spec = ParamSpec()
            spec.MergeFrom(specs[i] if i < len(specs) else spec)  # a copy: a saved net keeps the file's
            me = len(self.graph.params)
            slot = ParamNode(number, i, blob, spec, me, spec.lr_mult, spec.decay_mult)
            if not blob.learned:
                if spec.HasField("lr_mult") and spec.lr_mult:
                    raise node.layer.error(
                        f"parameter {i} is a statistic, not learned: lr_mult must be 0, not {spec.lr_mult:g}",
                        "param", i, "lr_mult", hint="lr_mult: 0, or leave it out",
                    )  # fmt: skip
                slot.lr_mult = slot.decay_mult = 0.0
            self.graph.params.append(slot)
            node.params.append(me)
            if spec.name:
                slot.owner = self.named_params.setdefault(spec.name, me)
                if slot.owner != me:
                    self._share(node, slot, self.graph.params[slot.owner])
            slot.wanted = blob.learned and (slot.lr_mult != 0 or self.force_backward)

    def _share(self, node: Node, slot: ParamNode, owner: ParamNode) -> None:
        """Check that `slot` may live in `owner`'s memory; both get the multipliers that either states."""
        mine, theirs = slot.declared.shape, owner.declared.shape
        permissive = slot.spec.share_mode == ParamSpec.PERMISSIVE
        if (count(mine) != count(theirs)) if permissive else (mine != theirs):
            first = self.graph.nodes[owner.layer].layer
            raise node.layer.error(
                f'shares parameter "{slot.spec.name}" ({shape_text(mine)}) with layer "{first.name}", '
                f"whose is {shape_text(theirs)}; "
                + ("the counts must be equal" if permissive else "the shapes must be equal"),
                "param", slot.index, "name",
                hint=None if permissive else "share_mode: PERMISSIVE asks for equal counts only",
            )  # fmt: skip
        for name in ("lr_mult", "decay_mult"):
            if slot.spec.HasField(name):
                value = getattr(slot.spec, name)
                if owner.spec.HasField(name) and getattr(owner.spec, name) != value:
                    raise node.layer.error(
                        f'shared parameter "{slot.spec.name}" has {name} {getattr(owner.spec, name):g} elsewhere, '
                        f"{value:g} here", "param", slot.index, name, hint="state it in one of the layers, or alike",
                    )  # fmt: skip
                setattr(owner, name, value)
                setattr(owner.spec, name, value)
        owner.wanted = owner.declared.learned and (owner.lr_mult != 0 or self.force_backward)
        slot.lr_mult, slot.decay_mult = owner.lr_mult, owner.decay_mult

    def _mark(self, node: Node, param: LayerParameter) -> None:
        """The forward sweep: whether this layer needs backward, and which bottoms get gradients."""
        blobs = self.graph.blobs
        forced = list(param.propagate_down)
        if forced and len(forced) != len(node.bottoms):
            raise node.layer.error(
                f"propagate_down is given {len(forced)} times for {len(node.bottoms)} bottoms", "propagate_down"
            )
        node.bottom_gradients = forced or [blobs[b].gradient for b in node.bottoms]
        wants_param = any(self.graph.params[p].wanted for p in node.params)
        node.backward = any(node.bottom_gradients) or wants_param
        for top in node.tops:  # in place too: readers above see the version that this layer makes
            blobs[top].gradient = node.backward

    def plan_backward(self) -> None:
        """The reverse sweep: keep what lies between a wanted gradient and a loss; then force_backward.

        It follows versions of blobs, where Caffe follows names: a layer above one in place says nothing of the blob
        below it.
        """
        under_loss: set[Version] = set()
        blocked: set[Version] = set()
        for node, (bottoms, tops) in reversed([*zip(self.graph.nodes, self._versions(), strict=True)]):
            contributes = any(w or top in under_loss for w, top in zip(node.loss_weights, tops, strict=True))
            if all(top in blocked for top in tops):
                node.backward = False
                node.bottom_gradients = [False] * len(node.bottoms)
            node.backward = node.backward and contributes
            for i, bottom in enumerate(bottoms):
                if contributes:
                    under_loss.add(bottom)
                else:
                    node.bottom_gradients[i] = False
                if not node.bottom_gradients[i]:
                    blocked.add(bottom)
        for node in self.graph.nodes:
            if self.force_backward:
                self._force(node)
            for error in gradient_errors(node.layer, node.bottom_gradients) if node.backward else ():
                self.refuse(error)

    def _versions(self) -> list[tuple[list[Version], list[Version]]]:
        """For each layer, the versions of blobs that it reads and that it makes."""
        newest: Counter[int] = Counter()
        result = []
        for node in self.graph.nodes:
            bottoms = [(b, newest[b]) for b in node.bottoms]
            newest.update(set(node.tops))
            result.append((bottoms, [(t, newest[t]) for t in node.tops]))
        return result

    def _force(self, node: Node) -> None:
        """force_backward: every bottom that can have a gradient gets one (to visualise what a net responds to)."""
        able = [i not in node.layer.no_gradient for i in range(len(node.bottoms))]
        if node.bottoms and not any(able) and not node.params:
            return
        node.backward = True
        node.bottom_gradients = [g or a for g, a in zip(node.bottom_gradients, able, strict=True)]


def make_layer(source: PlacedLayer, context: Context) -> Layer:
    """The layer of a message; NetError for an unknown type; and whatever the layer's class raises."""
    param = source.param
    cls = registry.layer_class(param.type)
    if cls is None:
        text = f'layer "{param.name}": unknown type "{param.type}"' if param.type else f'layer "{param.name}": no type'
        raise NetError(text, place=source.place("type"), hint=unknown_layer_hint(param.type))
    return cls(param, replace(context, bottoms=source.bottoms))

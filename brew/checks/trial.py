"""Building a net past its errors: blobs that depend on a layer that failed are of unknown shape, and not checked."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress

from brew.data import pairs
from brew.data.prefetching_layer import PrefetchingLayer
from brew.errors import BrewError, DataError, NetError, Place, in_brews_words
from brew.files import paths
from brew.graph.build import Builder, make_layer
from brew.graph.data_shapes import likely_shapes
from brew.graph.graph import BlobNode, Node
from brew.graph.layer_checks import check_counts
from brew.layer import Context, Layer, Shape, shape_text
from brew.layer.data_layer import DataLayer
from brew.layer.filler import check_filler
from brew.proto.brew_pb2 import LayerParameter
from brew.prototxt.placed import PlacedLayer
from brew.prototxt.portable import input_layer

from .view import layer_class


class Trial(Builder):
    """Collects `errors`. A layer that could not be built is replaced by one of which only the names are known.

    `data` says whether the files of data layers are opened. Where they are not, or are missing, the layers make
    blobs of likely shapes. Layers at a place in `broken` are not judged.
    """

    def __init__(self, force_backward: bool, data: bool, broken: Collection[Place | None] = ()) -> None:
        super().__init__(force_backward)
        self.data = data
        self.broken = broken
        self.errors: list[BrewError] = []
        self.unknown: set[str] = set()  # blobs without a shape

    def refuse(self, error: BrewError) -> None:
        self.errors.append(error)

    def add(self, number: int, source: PlacedLayer, context: Context) -> None:
        param = source.param
        if source.place() in self.broken:
            self._stand_in(number, source, context)
            return
        try:
            if any(name in self.unknown or name not in self.newest for name in param.bottom):
                with in_brews_words():
                    check_counts(make_layer(source, context), param)
            elif not self._stands_for_data(number, source, context):
                with in_brews_words():
                    super().add(number, source, context)
                self.unknown.difference_update(param.top)
                self._check_fillers(self.graph.nodes[number])
            if len(self.graph.nodes) > number:
                return
        except BrewError as error:
            self.refuse(error)
        if len(self.graph.nodes) > number:
            self._complete(number)
        else:
            self._stand_in(number, source, context)

    def pair_data(self) -> None:
        """Data layers that belong together, as a net pairs them."""
        with suppress(DataError):  # a source that cannot be read is among the errors already
            try:
                pairs.pair_layers([node.layer for node in self.graph.nodes])
            except NetError as error:
                self.refuse(error)

    def _check_fillers(self, node: Node) -> None:
        """Fillers are read when weights are filled, which does not happen here."""
        for slot in (self.graph.params[p] for p in node.params):
            if slot.declared.filler is not None and slot.declared.start is None:
                try:
                    check_filler(slot.declared.filler, slot.declared.shape, node.layer.error)
                except NetError as error:
                    self.refuse(error)

    def _stands_for_data(self, number: int, source: PlacedLayer, context: Context) -> bool:
        """Whether this is a data layer whose files are missing: an Input layer of likely shapes comes in its place."""
        param, cls = source.param, layer_class(source.param)
        if cls is None or not issubclass(cls, DataLayer):
            return False
        missing = list(_missing(source, cls, context)) if self.data else []
        if self.data and not missing:
            return False
        likely = likely_shapes(param, cls, context, read_mean=self.data)
        shapes = None if likely is None else likely.shapes
        for error in missing:
            error.hint = error.hint or _said_of(shapes, param)
            self.refuse(error)
        with suppress(DataError):  # one of the missing files
            check_counts(make_layer(source, context), param)
        if shapes is None:
            self._stand_in(number, source, context)
            return True
        super().add(number, PlacedLayer(input_layer(param.name, param.top, shapes), source.place), context)
        return True

    def _complete(self, number: int) -> None:
        """Complete a layer that failed after its shapes were known, so that building can go on."""
        node = self.graph.nodes[number]
        for name in node.layer.param.top[len(node.tops) :]:
            self._blob_of_unknown_shape(number, node, name)
        node.loss_weights = [0.0] * len(node.tops)
        node.bottom_gradients = [False] * len(node.bottoms)
        node.backward = False

    def _stand_in(self, number: int, source: PlacedLayer, context: Context) -> None:
        param = source.param
        bottoms = [self._read(name) for name in param.bottom if name in self.newest]
        node = Node(Layer(param, context), source, bottoms, [], [], [], False, [False] * len(bottoms))
        self.graph.nodes.append(node)
        for name in param.top:
            self._blob_of_unknown_shape(number, node, name)
        node.loss_weights = [0.0] * len(node.tops)

    def _blob_of_unknown_shape(self, number: int, node: Node, name: str) -> None:
        self.unknown.add(name)
        self.graph.blobs.append(BlobNode(name, (), number))
        node.tops.append(len(self.graph.blobs) - 1)
        self.newest[name] = node.tops[-1]
        self.unread[node.tops[-1]] = None


def _missing(source: PlacedLayer, cls: type[DataLayer], context: Context) -> Iterator[DataError]:
    """An error for every file of a data layer that is not there."""
    files = [(cls.section, "source")] if issubclass(cls, PrefetchingLayer) else []
    for section, name in [*files, ("transform_param", "mean_file")]:
        message = getattr(source.param, section)
        if not source.param.HasField(section) or not message.HasField(name):
            continue
        what = f'layer "{source.param.name}" ({source.param.type}): {name}'
        try:
            paths.find(getattr(message, name), context.folder, what=what, place=context.place(section, name))
        except DataError as error:
            yield error


def _said_of(shapes: list[Shape] | None, param: LayerParameter) -> str:
    top = param.top[0] if param.top else "data"
    if shapes is None:
        return f"get the data, or give its shape: --shape {top}:64x3x32x32, say; without it, shapes are not checked"
    return f"get the data; shapes are checked as if it were {shape_text(shapes[0])}"

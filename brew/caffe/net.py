"""pycaffe's Net, on a net of Brew's."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from brew.errors import UsageError, did_you_mean
from brew.memory.blob import Blob
from brew.net import sharing, weights
from brew.net.net import Net as CoreNet

from . import batches
from .batches import Views
from .layer_view import LayerView
from .vectors import BlobVec, DtypeVec, IntVec, LayerVec, StringVec

log = logging.getLogger("brew")


class Net:
    """A network in one phase, with pycaffe's methods.

    Net("net.prototxt", caffe.TEST, weights="x.caffemodel")     also level=0, stages=["deploy"], network_file=
    Net("net.prototxt", "x.caffemodel", caffe.TEST)             the old order

    Results are views of the net's blobs: the next pass overwrites them. It runs where `set_mode_cpu` or `set_mode_gpu`
    said last when it was made.
    """

    def __init__(self, network_file: Any, *args: Any, **options: Any) -> None:
        """`options` are phase, level, stages and weights. Raises what brew.Net raises, all of it RuntimeErrors."""
        unknown = set(options) - {"phase", "level", "stages", "weights"}
        if unknown:
            raise TypeError(f"Net has no argument {', '.join(sorted(unknown))}")
        self._take(CoreNet(network_file, *args, **options))

    def _take(self, net: CoreNet) -> None:
        self._net = net
        self._asked_in_vain = False  # the warning about gradients that are not made has been given

    # --- what it consists of --------------------------------------------------------------------------------------

    @property
    def blobs(self) -> OrderedDict[str, Blob]:
        """Every blob by name, in the order of the layers; copies for several readers have Caffe's names."""
        return self._net.blobs

    @cached_property
    def params(self) -> OrderedDict[str, BlobVec]:
        """The parameters of every layer that has some, by the layer's name."""
        return OrderedDict((name, BlobVec(blobs).fixed()) for name, blobs in self._net.params.items())

    @cached_property
    def layers(self) -> LayerVec:
        none = BlobVec().fixed()
        return LayerVec(LayerView(layer, self.params.get(layer.name, none)) for layer in self._net.layers).fixed()

    @cached_property
    def layer_dict(self) -> OrderedDict[str, LayerView]:
        return OrderedDict(zip(self._layer_names, self.layers, strict=True))

    @cached_property
    def blob_loss_weights(self) -> OrderedDict[str, float]:
        return OrderedDict((name, self._net.blob_loss_weights.get(name, 0.0)) for name in self.blobs)

    @cached_property
    def inputs(self) -> list[str]:
        """Names of the blobs that the caller fills."""
        return list(self._net.inputs)

    @cached_property
    def _input_set(self) -> set[str]:
        return set(self.inputs)

    @cached_property
    def outputs(self) -> list[str]:
        """Names of the blobs that no layer reads, sorted."""
        return list(self._net.outputs)

    @cached_property
    def top_names(self) -> OrderedDict[str, list[str]]:
        return OrderedDict((name, list(tops)) for name, tops in self._net.top_names.items())

    @cached_property
    def bottom_names(self) -> OrderedDict[str, list[str]]:
        return OrderedDict((name, list(bottoms)) for name, bottoms in self._net.bottom_names.items())

    @cached_property
    def _layer_names(self) -> StringVec:
        return StringVec(layer.name for layer in self._net.layers).fixed()

    @cached_property
    def _blob_names(self) -> StringVec:
        return StringVec(self.blobs).fixed()

    @cached_property
    def _blobs(self) -> BlobVec:
        return BlobVec(self.blobs.values()).fixed()

    @cached_property
    def _blob_loss_weights(self) -> DtypeVec:
        return DtypeVec(self.blob_loss_weights.values()).fixed()

    @cached_property
    def _inputs(self) -> IntVec:
        return self._ids(self.inputs)

    @cached_property
    def _outputs(self) -> IntVec:
        return self._ids(self.outputs)

    def _top_ids(self, layer: int) -> IntVec:
        graph = self._net.graph
        return self._ids(graph.blobs[top].name for top in graph.nodes[layer].tops)

    def _bottom_ids(self, layer: int) -> IntVec:
        graph = self._net.graph
        return self._ids(graph.blobs[bottom].name for bottom in graph.nodes[layer].bottoms)

    def _ids(self, names: Iterable[str]) -> IntVec:
        places = {name: number for number, name in enumerate(self.blobs)}
        return IntVec(places[name] for name in names).fixed()

    # --- passes ---------------------------------------------------------------------------------------------------

    def forward(
        self, blobs: Iterable[str] | None = None, start: str | None = None, end: str | None = None, **inputs: Any
    ) -> Views:
        """Run the layers `start` to `end` (names; default all); views of the outputs, or `end`'s tops, and of `blobs`.

        Keyword arguments are data for all input blobs, with their batch size. UsageError where they do not fit.
        """
        first = 0 if start is None else self._number(start)
        last = len(self._net.layers) - 1 if end is None else self._number(end)
        wanted = self.outputs if end is None else self.top_names[end]
        if blobs:
            wanted = [*wanted, *blobs]
            self._check_names(wanted)
        shown = self._net.blobs
        if inputs:
            if inputs.keys() != self._input_set:
                raise UsageError(f"Input blob arguments do not match net inputs. {_told(inputs, self.inputs)}")
            for name, values in inputs.items():
                batches.write(shown[name], "data", values, "Input is not batch sized")
        self._net.run_forward(first, last)
        return {name: shown[name].data for name in wanted}

    def backward(
        self, diffs: Iterable[str] | None = None, start: str | None = None, end: str | None = None, **tops: Any
    ) -> Views:
        """Run backward from `start` down to `end`; gradients of the inputs or `end`'s bottoms, and of `diffs`.

        Keyword arguments are gradients for all output blobs.
        """
        first = len(self._net.layers) - 1 if start is None else self._number(start)
        last = 0 if end is None else self._number(end)
        made, extra = self.inputs if end is None else self.bottom_names[end], list(diffs or ())
        self._check_names([*made, *extra])
        if tops:
            if set(tops) != set(self.outputs):
                raise UsageError(f"Top diff arguments do not match net outputs. {_told(tops, self.outputs)}")
            for name, values in tops.items():
                batches.write(self.blobs[name], "diff", values, "Diff is not batch sized")
        self._tell_of_missing(made, extra)
        self._net.run_backward(first, last)
        return {name: self.blobs[name].diff for name in dict.fromkeys([*made, *extra])}

    def _forward(self, start: int, end: int) -> float:
        """Run the layers number `start` to `end`; the loss that these make."""
        self._net.run_forward(start, end)
        return self._net.loss_terms.sum_of(start, end)

    def _backward(self, start: int, end: int) -> None:
        """Run backward from layer number `start` down to `end`."""
        self._net.run_backward(start, end)

    def forward_all(self, blobs: Iterable[str] | None = None, **inputs: Any) -> Views:
        """`forward` of any number of items, batch by batch; copies, without what fills the last batch up."""
        return batches.forward_all(self, list(blobs or ()), inputs)

    def forward_backward_all(
        self, blobs: Iterable[str] | None = None, diffs: Iterable[str] | None = None, **values: Any
    ) -> tuple[Views, Views]:
        """`forward` and `backward` of any number of items; `values` are inputs, and gradients of outputs."""
        return batches.forward_backward_all(self, list(blobs or ()), list(diffs or ()), values)

    def _number(self, name: str) -> int:
        if name not in self._numbers:
            raise UsageError(f'the net has no layer "{name}"', hint=did_you_mean(name, self._numbers))
        return self._numbers[name]

    @cached_property
    def _numbers(self) -> Mapping[str, int]:
        """The first layer of each name."""
        return {name: number for number, name in reversed([*enumerate(self._layer_names)])}

    def _check_names(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self.blobs:
                raise UsageError(f'the net has no blob "{name}"', hint=did_you_mean(name, self.blobs))

    def _tell_of_missing(self, made: list[str], extra: list[str]) -> None:
        """Warn once where gradients are asked for that no layer makes."""
        if self._asked_in_vain:
            return
        missing = [name for name in extra if name not in self._with_gradient]
        if made and not self._with_gradient.intersection(made):
            missing += made
        if missing:
            self._asked_in_vain = True
            log.warning(
                "no layer makes the gradient of %s: its diff stays as it is; force_backward: true in the net "
                "makes gradients down to the inputs",
                ", ".join(f'"{name}"' for name in dict.fromkeys(missing)),
            )

    @cached_property
    def _with_gradient(self) -> set[str]:
        """The blobs whose gradient a layer makes, or that no layer reads: theirs comes from the caller."""
        graph = self._net.graph
        read = {b for node in graph.nodes for b in node.bottoms}
        made = {b for node in graph.nodes for b in node.bottoms if node.gradient_of(b)}
        return {blob.name for number, blob in enumerate(graph.blobs) if number in made or number not in read}

    # --- the rest -------------------------------------------------------------------------------------------------

    def set_input_arrays(self, data: npt.NDArray[Any], labels: npt.NDArray[Any]) -> None:
        """Give the MemoryData layer its data (n x channels x height x width) and n labels."""
        self._net.set_input_arrays(data, np.asarray(labels).reshape(len(labels), -1)[:, 0])

    def reshape(self) -> None:
        """Carry new shapes of the inputs through the net."""
        self._net.reshape()

    def clear_param_diffs(self) -> None:
        self._net.clear_param_diffs()

    def copy_from(self, file: Any) -> None:
        """Load weights (.caffemodel, HDF5, safetensors) into the layers of the same names."""
        self._net.copy_from(file)

    def load_hdf5(self, file: str | Path) -> None:
        """Load weights, as `copy_from`: the file's contents tell what it is."""
        self._net.copy_from(file)

    def share_with(self, other: Net) -> None:
        """Use the parameters of `other` from now on, in layers of the same names."""
        sharing.share(self._net, other._net)

    def save(self, file: str | Path) -> None:
        """Write a .caffemodel, whatever the file is called."""
        weights.save(self._net.parameters, file, self._net.name, self._net.phase, ending=".caffemodel")

    def save_hdf5(self, file: str | Path) -> None:
        weights.save(self._net.parameters, file, self._net.name, self._net.phase, ending=".h5")

    def before_forward(self, callback: Callable[[int], object]) -> None:
        """Call `callback(number)` before each layer's forward from now on; the other three likewise."""
        self._net.before_forward(callback)

    def after_forward(self, callback: Callable[[int], object]) -> None:
        self._net.after_forward(callback)

    def before_backward(self, callback: Callable[[int], object]) -> None:
        self._net.before_backward(callback)

    def after_backward(self, callback: Callable[[int], object]) -> None:
        self._net.after_backward(callback)


def around(net: CoreNet) -> Net:
    """A net of Brew's as pycaffe shows it."""
    shown = Net.__new__(Net)
    shown._take(net)
    return shown


def _told(given: Iterable[str], known: Iterable[str]) -> str:
    return f"Given: {', '.join(sorted(given)) or 'none'}; the net's: {', '.join(known) or 'none'}"

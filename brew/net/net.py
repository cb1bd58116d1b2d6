"""Net: a graph on a device, with the methods of pycaffe's Net: forward, backward, reshape, weights."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from brew.cpu.subnormals import flushed
from brew.data.pairs import pair_and_log
from brew.graph import notices, versions
from brew.graph.build import build
from brew.graph.definition import NetDefinition, NetLike, select
from brew.layer import Context, Layer, Shape
from brew.layer.choices import Choices
from brew.layer.data_layer import DataLayer
from brew.layer.random import in_use
from brew.memory.blob import Blob
from brew.memory.host_views import HostViews
from brew.memory.stamps import Stamps
from brew.net.run.assembly import assemble
from brew.net.run.blobs import make_blobs
from brew.net.run.callbacks import Callback, LayerCallbacks
from brew.net.run.options import RunOptions
from brew.proto.brew_pb2 import NetState
from brew.prototxt.placed import PlacedLayer

from . import arguments, memory_report, mode, table
from .arguments import layer_number
from .debug_info import DebugInfo
from .engine import chosen
from .loss_terms import LossTerms
from .memory_report import Budget
from .outputs import Output
from .parameters import Parameters
from .steady import SteadyPass

if TYPE_CHECKING:
    from brew.files.weights.reading import Weights


class Net:
    """A network in one phase.

    Net("net.prototxt", brew.TEST)                              as pycaffe
    Net("net.prototxt", brew.TEST, weights="x.caffemodel")
    Net("net.prototxt", "x.caffemodel", brew.TEST)              pycaffe's old order

    blobs, params       the newest blob of each name; the parameter blobs of each layer, by the layer's name
    layers, layer_dict  the layers, in order and by name
    inputs, outputs     blob names: tops of Input layers; tops that no layer reads, sorted

    Arguments, all but the first optional. Raises PrototxtError, NetError and other BrewErrors.

    network        the path of a prototxt file, its document, a message, or a NetDefinition
    phase          brew.TRAIN, brew.TEST, "train" or "test"; brew.TEST where none is given
    weights        files to load, by layer name: a path, a list of paths, or text with commas between
    level, stages  of the state that selects layers (include, exclude)
    states         messages that overlay the net's own state, as a solver's train_state does
    device         "cpu" or "cuda"; else that of `brew.set_mode_cpu` and `brew.set_mode_gpu`
    dtype          of blobs: float32, or float64, which oneDNN leaves to NumPy
    seed           the key of all random numbers; else `brew.set_random_seed`'s, or a fresh one
    shapes         by blob: inputs of these shapes take the place of data layers
    share          a net whose parameters this one uses instead of its own
    history_slots  arrays per parameter that a solver's history will take: 0 for nets that are not trained
    engine         "default", "onednn" or "caffe", on the CPU; it goes before the file's `engine`
    fuse           layers run together where no value changes
    keep           the blobs that must be readable after a pass, besides the outputs; None: all
    forward_only   the net has no gradients
    recompute      where `keep` is given, layers run forward twice for less memory (brew.memory.recompute)
    choices        decides between ways to compute a pass; else a rule does
    budget         refuses a net that needs more memory
    """

    def __init__(
        self,
        network: NetLike | NetDefinition,
        *args: Any,
        phase: int | str | None = None,
        weights: Any = None,
        level: int | None = None,
        stages: Iterable[str] | None = None,
        states: Sequence[NetState] = (),
        device: str | None = None,
        dtype: npt.DTypeLike = np.float32,
        seed: SupportsIndex | None = None,
        shapes: Mapping[str, Shape] | None = None,
        share: Net | None = None,
        history_slots: int = 0,
        engine: str | None = None,
        fuse: bool | None = None,
        keep: Iterable[str] | None = None,
        forward_only: bool = False,
        recompute: bool = False,
        choices: Choices | None = None,
        budget: Budget | None = None,
    ) -> None:
        number, weights, level, stages = arguments.in_order(args, phase, weights, level, stages)
        self.device, self.dtype = device or mode.default_device(), np.dtype(dtype)
        self.seed = in_use(seed if seed is not None else mode.default_seed())
        self.choices = choices or Choices()
        source = self.source = select(network, number, states=states, level=level, stages=stages or (), shapes=shapes)
        self.engine = chosen(engine or mode.default_engine(), source.engine)
        self.phase, self.name = source.state.phase, source.name  # the net's own state may say another phase
        written = build(source.layers, self._context, force_backward=source.force_backward, forward_only=forward_only)
        notices.net_built(source, written)
        graph = self.graph = versions.separate_tops(written)
        lender: Parameters | None = None if share is None else share.parameters
        self.parameters: Parameters = Parameters(graph, self.dtype, self.device, lender)
        self._make_blobs(self.parameters.stamps)
        pair_and_log(self.layers)
        self._trained = history_slots > 0
        self.options = RunOptions(
            self.device, self.engine, fuse=mode.default_fuse() if fuse is None else fuse,
            keep=arguments.readable(keep, self.outputs, self.blobs), recompute=arguments.recomputes(recompute, keep),
        )  # fmt: skip
        slots, stamps = self.parameters.slots, self.parameters.stamps
        self.executor = assemble(graph, self._blob_list, slots, self.parameters.changes, stamps, self.options)
        self.passes = self.executor.passes
        self._host_views = HostViews([*self._blob_list, *slots], stamps, self.parameters.note_changes)
        self._make_callbacks()
        self.memory = memory_report.predict(self.executor, graph, self.dtype.itemsize, history_slots, share is not None)
        if budget is not None:
            budget.admit(self.memory)
        memory_report.check_fits(self.memory, self.name, self.device)
        self.parameters.allocate(self.seed, lender, updated=history_slots > 0)
        if weights is not None:
            self.copy_from(weights)

    def _context(self, source: PlacedLayer) -> Context:
        phase = source.param.phase if source.param.HasField("phase") else self.phase
        return Context(phase, self.dtype, self.seed, source.place, self.source.folder, self.choices)

    def _make_blobs(self, stamps: Stamps) -> None:
        graph = self.graph
        self._blob_list = make_blobs(graph, self.dtype, self.device, stamps)
        self.blobs: OrderedDict[str, Blob] = OrderedDict((b.name, b.shown or b) for b in self._blob_list)
        self.layers: list[Layer] = [node.layer for node in graph.nodes]
        self.layer_dict: OrderedDict[str, Layer] = OrderedDict((layer.name, layer) for layer in self.layers)
        self.params = self.parameters.by_layer
        self.inputs = [graph.blobs[b].name for b in graph.inputs]
        self.outputs = [graph.blobs[b].name for b in graph.outputs]
        self.bottom_names = OrderedDict((n.layer.name, [graph.blobs[b].name for b in n.bottoms]) for n in graph.nodes)
        self.top_names = OrderedDict((n.layer.name, [graph.blobs[t].name for t in n.tops]) for n in graph.nodes)
        self.loss_terms = LossTerms(graph, self._blob_list, stamps)
        self.blob_loss_weights = OrderedDict(
            (graph.blobs[t].name, w) for n in graph.nodes for t, w in zip(n.tops, n.loss_weights, strict=True)
        )

    def _make_callbacks(self) -> None:
        executor, views = self.executor, self._host_views
        self._around_forward = LayerCallbacks(executor.forward_through, executor.forward, views)
        self._around_backward = LayerCallbacks(executor.backward_through, executor.backward, views)
        self._steady = SteadyPass(executor, self._around_forward, views, self.parameters, trained=self._trained)
        self.debug_info = DebugInfo(self.executor.steps, self.parameters, self._around_forward, self._around_backward)
        self.debug_info.on = self.source.debug_info

    # --- running --------------------------------------------------------------------------------------------------

    def run_forward(self, start: int = 0, end: int | None = None) -> None:
        """Run layers `start` to `end` (inclusive; default all) forward. Of the values only host views are read back."""
        end = len(self.layers) - 1 if end is None else end
        if start == 0 and end == len(self.layers) - 1 and self._steady.run():
            return
        self._begin_at(start, end)
        with flushed(), np.errstate(all="ignore"):  # overflow and 0/0 give inf and nan, as they do in Caffe
            self._around_forward.run(start, end)
        self._host_views.download()
        self._steady.note()

    def _begin_at(self, start: int, end: int) -> None:
        self._host_views.upload()
        if self._trained:
            self.parameters.note_changes(trained=True)
        self.executor.begin_at(start, end)

    def run_backward(self, start: int | None = None, end: int = 0) -> None:
        """Run layers `start` down to `end` (inclusive; default all) backward."""
        self._host_views.upload()
        with flushed(), np.errstate(all="ignore"):
            self._around_backward.run(len(self.layers) - 1 if start is None else start, end, -1)
        self._host_views.download()

    def forward_backward(self) -> None:
        """Forward, then backward, through all layers: Caffe's ForwardBackward, but the loss is not read back."""
        if self._around_forward.watched or self._around_backward.watched:
            self.run_forward()
            self.run_backward()
            return
        self._begin_at(0, len(self.layers) - 1)
        with flushed(), np.errstate(all="ignore"):
            self.executor.forward_backward()
        self._host_views.download()

    def before_forward(self, callback: Callback) -> None:
        """Call `callback(layer number)` before each layer's forward from now on; as in pycaffe."""
        self._around_forward.before.append(callback)

    def after_forward(self, callback: Callback) -> None:
        self._around_forward.after.append(callback)

    def before_backward(self, callback: Callback) -> None:
        self._around_backward.before.append(callback)

    def after_backward(self, callback: Callback) -> None:
        self._around_backward.after.append(callback)

    def forward_layer(self, number: int) -> None:
        self.executor.forward(number)

    def backward_layer(self, number: int) -> None:
        self.executor.backward(number)

    def loss(self) -> float:
        """Sum of weight x sum of elements over the loss tops, as of the last forward (read back from the device)."""
        return self.loss_terms.sum()

    def output_values(self) -> list[Output]:
        """(name, flat values, loss weight) of every output, in Caffe's order; copies."""
        blobs, weights = [self._blob_list[b] for b in self.graph.outputs], self.blob_loss_weights
        return [(b.name, np.array(b.data_memory.host(b.shape)).reshape(-1), weights.get(b.name, 0.0)) for b in blobs]

    def forward(
        self, blobs: Iterable[str] | None = None, start: str | None = None, end: str | None = None,
        **inputs: npt.ArrayLike,
    ) -> dict[str, npt.NDArray[Any]]:  # fmt: skip
        """Run forward and return {output name: view of its data} (and of `blobs`), as pycaffe does.

        Keyword arguments are data for all input blobs, with the blob's first dimension. `start` and `end` are layer
        names; from `start` on, nothing before it is computed again.
        """
        if inputs:
            arguments.write_inputs(self.blobs, self.inputs, inputs)
        self.run_forward(layer_number(self.layers, start, 0), layer_number(self.layers, end))
        tops = self.outputs if end is None else self.top_names[end]
        return arguments.views(self.blobs, [*tops, *blobs] if blobs else tops, "data")

    def set_input_arrays(self, data: npt.ArrayLike, labels: npt.ArrayLike) -> None:
        """Give the first MemoryData layer its data (n x channels x height x width) and n labels."""
        arguments.set_input_arrays(self.data_layers, data, labels, self.name)

    def backward(
        self, diffs: Iterable[str] | None = None, start: str | None = None, end: str | None = None,
        **tops: npt.ArrayLike,
    ) -> dict[str, npt.NDArray[Any]]:  # fmt: skip
        """Run backward from `start` down to `end` (layer names) and return {input name: view of its gradient}.

        Keyword arguments are gradients for output blobs.
        """
        arguments.write_gradients(self.blobs, self.outputs, tops)
        last = layer_number(self.layers, end, 0)
        self.run_backward(layer_number(self.layers, start), last)
        made = [self._blob_list[b] for b in (self.graph.inputs if end is None else self.graph.nodes[last].bottoms)]
        return {blob.name: blob.diff for blob in made} | arguments.views(self.blobs, diffs or (), "diff")

    def reshape(self) -> None:
        """Carry new input shapes through the whole net, without computing."""
        self.executor.reshape()

    def clear_param_diffs(self) -> None:
        """Set every parameter's gradient to zero."""
        self.parameters.clear_gradients()

    @property
    def data_layers(self) -> list[DataLayer]:
        return [layer for layer in self.layers if isinstance(layer, DataLayer)]

    @property
    def batch_size(self) -> int:
        """Items in a pass: the first axis of the first blob made without bottoms."""
        for blob in self.executor.sources:
            if blob.shape:
                return blob.shape[0]
        return 1

    def _repr_html_(self) -> str:
        return table.html(self.name, self.graph, self.blobs)

    def copy_from(self, files: Weights, *, ignore_mismatched: bool = False) -> None:
        """Load weights by layer name from a path, a list of paths, or text with commas between (later ones win)."""
        from . import weights  # a net made from a message has no file

        weights.copy_into(self.parameters, files, ignore_mismatched=ignore_mismatched)

    def save(self, path: Any, *, diff: bool = False) -> None:
        """Write a .caffemodel (HDF5 when the name ends in .h5, safetensors for .safetensors), atomically."""
        from . import weights

        weights.save(self.parameters, path, self.name, self.phase, diff=diff)

    def close(self) -> None:
        """Stop the data layers' threads and close their sources."""
        for layer in self.data_layers:
            layer.close()

"""Model: a trained net that takes pictures or arrays and gives results, for many threads at once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from html import escape
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np

from brew.cpu import threads
from brew.errors import UsageError, did_you_mean
from brew.layer import Shape
from brew.net.net import Net
from brew.plain_text import one_line
from brew.reports.filters import Filters

from .batches import Batch, batches, by_item, stacked
from .inputs import Array, BinaryFile, Reader, is_stream
from .metadata import Metadata
from .network import Network
from .passes import backward, forward
from .pool import Pool
from .preparation import Preparation
from .results import Classes, Prediction, Predictions
from .things import ThingPreparation

if TYPE_CHECKING:
    import os

    from PIL.Image import Image

    Picture = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryFile | Image

T = TypeVar("T")
BATCH = 32  # items that run together where the caller says nothing
_MOST_POOLS = 4  # of nets that keep blobs besides the outputs
_PLAIN: frozenset[str] = frozenset()


class Model:
    """A trained net for use; `brew.load` makes it.

    name, device        the net's name; "cpu", "cuda:0"
    inputs, outputs     shapes by blob, of one item: without the axis of the batch
    labels              the names of a classifier's classes, () where they are not known
    metadata            how its pictures are prepared

    Any number of threads may call it: each caller gets a net of its own, up to `nets` of them, which share the weights;
    then callers wait. What it takes is described in brew.predictor.inputs, and in docs/predict.md.

    UsageError for `nets` below 1, and where there are more or fewer labels than a classifier has classes.
    """

    def __init__(self, network: Network, metadata: Metadata, labels: tuple[str, ...], nets: int | None = None) -> None:
        if nets is not None and nets < 1:
            raise UsageError(f"nets is {nets}; at least 1 is expected")
        base = network.base
        self.name = base.name or "the model"
        self.metadata = metadata
        self.labels = labels
        self.device = str(network.device)
        self.inputs: dict[str, Shape] = {name: base.blobs[name].shape[1:] for name in base.inputs}
        self.outputs: dict[str, Shape] = {name: base.blobs[name].shape[1:] for name in base.outputs}
        self._network = network
        self._most = nets or max(1, threads.wanted())
        self._lock = threading.Lock()
        self._pools: OrderedDict[frozenset[str], Pool] = OrderedDict()
        self._pools[_PLAIN] = Pool(network.net, self._most)
        self._gradients = Pool(network.with_gradients, self._most)
        shapes = {name: base.blobs[name].shape for name in base.inputs}
        self._preparation = self._prepared_by(shapes, base.dtype)
        self._reader = Reader(shapes, self._preparation, self.name, network.device.kind)
        self._classes = Classes.of(base, labels)

    def _prepared_by(self, shapes: Mapping[str, Shape], dtype: np.dtype[Any]) -> Preparation | ThingPreparation | None:
        """For a net whose data is no pictures, as its import says; for one with one input of 1, 3 or 4 channels."""
        if self.metadata.preparation is not None:
            return ThingPreparation(self.metadata, shapes, dtype, self.name)
        [shape] = shapes.values() if len(shapes) == 1 else [()]
        if len(shape) != 4 or shape[1] not in (1, 3, 4):
            return None
        return Preparation(self.metadata, (shape[1], shape[2], shape[3]), dtype, self.name)

    # --- results --------------------------------------------------------------------------------------------------

    @overload
    def predict(self, x: Picture, top: int = 5, *, batch: int = BATCH) -> Prediction: ...
    @overload
    def predict(self, x: Iterator[Any], top: int = 5, *, batch: int = BATCH) -> Iterator[Prediction]: ...
    @overload
    def predict(self, x: list[Any] | tuple[Any, ...], top: int = 5, *, batch: int = BATCH) -> Predictions: ...
    @overload
    def predict(self, x: Any, top: int = 5, *, batch: int = BATCH) -> Any: ...
    def predict(self, x: Any, top: int = 5, *, batch: int = BATCH) -> Any:
        """The prediction for a picture or a prepared item, with the `top` best classes of a classifier.

        A list gives Predictions, and so does an array of several items; an iterator gives an iterator, which reads no
        further than one batch ahead. `batch` items run together, where they have one shape. UsageError for what is no
        input, DataError for pictures that cannot be read, NetError for sizes that the net does not take.
        """

        def results(run: Batch, values: Mapping[str, Array]) -> Iterator[Prediction]:
            for i, name in enumerate(run.names):
                outputs = {blob: np.array(array[i]) for blob, array in values.items()}  # not of the whole batch
                best = self._classes.best(next(iter(outputs.values())), top) if self._classes else ()
                yield Prediction(outputs, best, name)

        return self._each(x, batch, self._forward, results, Predictions)

    @overload
    def features(self, blob: str, x: Iterator[Any], *, batch: int = BATCH) -> Iterator[Array]: ...
    @overload
    def features(self, blob: str, x: Any, *, batch: int = BATCH) -> Array: ...
    def features(self, blob: str, x: Any, *, batch: int = BATCH) -> Any:
        """The values of `blob`: of one item without the axis of the batch, of several n x ...; an iterator gives one.

        UsageError where the net has no such blob, or several items give it several shapes; else as `predict`.
        """
        found = self.activations(x, [blob], batch=batch)
        return found[blob] if isinstance(found, dict) else (values[blob] for values in found)

    @overload
    def activations(
        self, x: Iterator[Any], blobs: Sequence[str], *, batch: int = BATCH
    ) -> Iterator[dict[str, Array]]: ...
    @overload
    def activations(self, x: Any, blobs: Sequence[str], *, batch: int = BATCH) -> dict[str, Array]: ...
    def activations(self, x: Any, blobs: Sequence[str], *, batch: int = BATCH) -> Any:
        """The values of several `blobs` by name, as `features` gives them."""
        names = self._known(blobs)

        def run(rows: Batch) -> dict[str, Array]:
            return self._forward(rows, names)

        return self._each(x, batch, run, by_item, self._stack(names))

    @overload
    def gradient(
        self, x: Iterator[Any], of: Any = None, *, output: str | None = None, to: str | None = None, batch: int = BATCH
    ) -> Iterator[Array]: ...
    @overload
    def gradient(
        self, x: Any, of: Any = None, *, output: str | None = None, to: str | None = None, batch: int = BATCH
    ) -> Array: ...
    def gradient(
        self, x: Any, of: Any = None, *, output: str | None = None, to: str | None = None, batch: int = BATCH
    ) -> Any:
        """The gradient of a score with respect to a blob: how the score of each item changes with its values.

        of       the score: a class by number or label, or a tuple of numbers into the values of an item; None: the
                 largest. Where it leaves axes open, as a channel of a map does, their sum counts
        output   the blob it is in (the net's output); scores before a Softmax say more than behind it
        to       the blob that the gradient is of (the net's input, as it is prepared)
        """
        output = output or next(iter(self.outputs), "")
        to = to or next(iter(self.inputs), "")
        self._known([output, to])
        index = self._classes.number(of) if self._classes and isinstance(of, str) else of

        def run(rows: Batch) -> dict[str, Array]:
            with self._network.device.current(), self._gradients.net(rows.shape) as net:
                return {to: backward(net, rows, index, output, to)}

        found = self._each(x, batch, run, by_item, self._stack([to]))
        return found[to] if isinstance(found, dict) else (values[to] for values in found)

    # --- running --------------------------------------------------------------------------------------------------

    def _each(
        self, x: Any, batch: int, run: Callable[[Batch], dict[str, Array]],
        split: Callable[[Batch, dict[str, Array]], Iterable[T]], join: Callable[[list[T]], Any],
    ) -> Any:  # fmt: skip
        """Run over everything in `x`; `split` gives the results of a batch one by one, `join` puts those of a list
        together."""
        if batch < 1:
            raise UsageError(f"batch is {batch}; at least 1 is expected")
        if is_stream(x):
            rows = map(self._reader.rows, x)
            return (result for group in batches(rows, batch) for result in split(group, run(group)))
        if isinstance(x, list | tuple):
            rows = map(self._reader.rows, x)
            return join([result for group in batches(rows, batch) for result in split(group, run(group))])
        one = self._reader.rows(x)
        found = [result for group in batches(iter([one]), batch) for result in split(group, run(group))]
        return found[0] if one.single else join(found)

    def _forward(self, rows: Batch, keep: frozenset[str] = _PLAIN) -> dict[str, Array]:
        names = list(keep or self.outputs)
        with self._network.device.current(), self._pool(keep).net(rows.shape) as net:
            return forward(net, rows, names)

    def _stack(self, names: Iterable[str]) -> Callable[[list[dict[str, Array]]], dict[str, Array]]:
        """Puts the values of these blobs for several items together; for none they have the shapes of the net."""
        blobs = self._network.base.blobs
        none = {name: np.empty((0, *blobs[name].shape[1:]), self._network.base.dtype) for name in names}
        return partial(stacked, none)

    def _pool(self, keep: frozenset[str]) -> Pool:
        """Of nets in which these blobs can be read; those that were used last stay."""
        keep = _PLAIN if keep <= self.outputs.keys() else keep
        with self._lock:
            if keep not in self._pools:
                self._pools[keep] = Pool(lambda: self._network.net(keep), self._most)
                while len(self._pools) > _MOST_POOLS + 1:
                    oldest = next(names for names in self._pools if names)
                    del self._pools[oldest]
            self._pools.move_to_end(keep)
            return self._pools[keep]

    def _known(self, blobs: Iterable[str]) -> frozenset[str]:
        if isinstance(blobs, str):
            raise UsageError(f'blobs is a list of names, not "{blobs}"', hint=f'["{blobs}"]')
        names = frozenset(blobs)
        there = self._network.base.blobs
        for name in names.difference(there):
            written = [blob for blob in there if "_split_" not in blob]
            near = did_you_mean(name, written) or f"it has {', '.join(written)}"
            raise UsageError(f'{self.name} has no blob "{name}"', hint=near)
        return names

    # --- looking at it ----------------------------------------------------------------------------------------------

    @property
    def net(self) -> Net:
        """The net that holds the weights, to look at; other callers may be running it."""
        return self._network.base

    def filters(self, layer: str) -> Filters:
        """The filters of a layer, its first parameter, as an image. UsageError where it has none."""
        base = self._network.base
        if layer not in base.params:
            raise UsageError(
                f'{self.name} has no layer "{layer}" with parameters', hint=did_you_mean(layer, base.params)
            )
        blob = base.params[layer][0]
        values = np.array(blob.data_memory.host(blob.shape))
        return Filters(layer, values, rgb=self.metadata.channel_order == "RGB")

    def __repr__(self) -> str:
        takes = ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in self.inputs.items())
        gives = ", ".join(f"{name} {'x'.join(map(str, shape)) or 'scalar'}" for name, shape in self.outputs.items())
        return f"<Model {one_line(self.name)!r} on {self.device}: {one_line(takes)} -> {one_line(gives)}>"

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self)[1:-1])}</p>{self._network.base._repr_html_()}"

    # --- its end ----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Let go of the nets and their memory, also of callers that are running once they are done; it may be called
        twice. Every later call is a UsageError."""
        with self._lock:
            for pool in (*self._pools.values(), self._gradients):
                pool.close()
            for keep in [names for names in self._pools if names]:
                del self._pools[keep]
        self._network.close()

    def __enter__(self) -> Model:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

"""The base of data layers: a source that fills batches, a prefetcher, and the position of the consumed records."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Mapping, Sequence
from operator import index
from typing import Any, ClassVar, Protocol, SupportsIndex

import numpy as np
import numpy.typing as npt

from brew.cpu.pixels.held import HeldWindows
from brew.layer import Context, Shape, count
from brew.layer.data_layer import DataLayer
from brew.proto.brew_pb2 import LayerParameter, SourceState

from .prefetch import Batch, Finish, Prefetcher, Top, buffers
from .transformer import Transformer

log = logging.getLogger("brew")


_SECTIONS = "data_param", "image_data_param", "hdf5_data_param", "window_data_param", "memory_data_param"


class BatchSource(Protocol):
    """Fills batch after batch, from a given record on; already opened. It must not refer to its layer."""

    def begin(self, batch: Batch) -> Finish:
        """Begin to fill the batch behind the one before, which is filled; the call that is returned ends it."""
        ...

    def close(self) -> None: ...


def first_not_finite(tops: Sequence[npt.NDArray[Any]], names: Sequence[str], name: Callable[[int], str]) -> str | None:
    """The first record among `tops`, whose blobs have these `names`, with a value that is not finite; in words."""
    for values, blob in zip(tops, names, strict=True):
        bad = ~np.isfinite(values.reshape(len(values), -1)).all(axis=1)
        if bad.any():
            first = int(np.argmax(bad))
            value = next(v for v in values[first].reshape(-1).tolist() if not math.isfinite(v))
            count = int(bad.sum())
            more = f" ({count} records of the batch are bad)" if count > 1 else ""
            return f'"{blob}": {name(first)} has {value}{more}'
    return None


class PrefetchingLayer(DataLayer):
    """A data layer over a `BatchSource`. Subclasses name their message, `section`, set `ahead` and write `open_source`.

    transformer  makes the images of batches; None where records are taken as they are
    image_bytes  of an image in a batch that is read ahead as bytes, as the first record tells it; 0: as numbers

    The cursor counts consumed records, and those skipped between them, over epochs; records read ahead do not count.
    """

    section: ClassVar[str]
    ahead: int = 0
    transformer: Transformer | None = None
    image_bytes: int = 0

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        self.batch_size: int = getattr(param, self.section).batch_size
        if self.batch_size == 0:
            hint = self.elsewhere("batch_size") or "batch_size: 64, say"
            raise self.error("batch_size must be at least 1", self.section, "batch_size", hint=hint)
        self._seed: SupportsIndex = context.seed  # another one after a resume
        self._record = 0
        self._source: BatchSource | None = None
        self._prefetcher: Prefetcher | None = None
        self._process = 0  # that opened them
        self._waited = 0.0  # for batches of sources that were closed
        self._numbers = Batch(np.float32, 1)  # of images that were held as bytes

    def elsewhere(self, field: str) -> str | None:
        """A hint where `field` is set in the message of another data layer, which this one does not read."""
        for section in _SECTIONS:
            message = getattr(self.param, section)
            if section != self.section and self.param.HasField(section) and message.HasField(field):
                return f"{self.type} reads {self.section} {{ {field} }}, and it stands in {section}"
        return None

    def open_source(self, record: int) -> BatchSource:
        """The source, opened so that the first batch begins with record number `record`, counted over epochs."""
        raise NotImplementedError

    @property
    def seed(self) -> int:
        """The seed of every random number of the source."""
        return index(self._seed)

    @property
    def waited(self) -> float:  # type: ignore[override]
        return self._waited + (self._prefetcher.waited if self._prefetcher is not None else 0.0)

    def bytes_ahead(self, tops: Sequence[Shape]) -> int:
        values, size = [count(shape) for shape in tops], self.context.dtype.itemsize
        images = tops[0][0] * self.image_bytes or values[0] * size
        return buffers(self.ahead) * (images + sum(values[1:]) * size)

    def next_shapes(self) -> list[Shape]:
        return [top.shape for top in self._batches().peek().tops]

    def next_batch(self) -> list[npt.NDArray[Any]]:
        return [top if isinstance(top, np.ndarray) else self._as_numbers(top) for top in self._next()]

    def _as_numbers(self, held: HeldWindows) -> npt.NDArray[Any]:
        [numbers] = self._numbers.take([held.shape])
        held.write(numbers)
        return numbers

    def write_batch(self, tops: Sequence[npt.NDArray[Any]]) -> None:
        for top, part in zip(tops, self._next(), strict=True):
            if isinstance(part, np.ndarray):
                np.copyto(top, part)
            else:
                part.write(top)

    def _next(self) -> list[Top]:
        batch = self._batches().next()
        self._record += self.batch_size + batch.passed
        return batch.tops

    def not_finite(self) -> str | None:
        batch = self._prefetcher.taken if self._prefetcher is not None else None
        if batch is None:
            return None
        tops = [top if isinstance(top, np.ndarray) else top.numbers() for top in batch.tops]
        return first_not_finite(tops, self.param.top, batch.name)

    def state(self) -> SourceState:
        return SourceState(layer=self.name, record=self._record, seed=self.seed)

    def restore(self, state: SourceState) -> None:
        if state.HasField("seed"):
            self._seed = state.seed
        self.skip_to(state.record)

    def skip_to(self, record: int) -> None:
        self.close()
        self._record = record

    def close(self) -> None:
        """Stop prefetching and close the source; the next batch opens it again where it was."""
        self._leave_to_parent()
        if self._prefetcher is not None:
            self._waited += self._prefetcher.waited
            self._prefetcher.close()
            self._prefetcher = None
        if self._source is not None:
            self._source.close()
            self._source = None

    def _leave_to_parent(self) -> None:
        """In a child made by fork: the threads that read ahead, and their open files, are the parent's."""
        if self._prefetcher is not None and self._process != os.getpid():
            self._prefetcher.abandon()
            self._parents = (self._prefetcher, self._source)  # nothing of it is closed here
            self._prefetcher = self._source = None

    def _batches(self) -> Prefetcher:
        self._leave_to_parent()
        if self._prefetcher is None:
            self._process = os.getpid()
            self._source = self.open_source(self._record)
            tops, dtype = len(self.param.top), self.context.dtype
            held = self.transformer.held if self.transformer is not None else lambda: None
            self._prefetcher = Prefetcher(
                self._source.begin, lambda: Batch(dtype, tops, held()), self.ahead, f"brew-{self.name}"
            )
        return self._prefetcher

    def warn_of_idle_fields(self, section: str, fields: Mapping[str, str]) -> None:
        """A log line for each field of message `section` that is set and that Caffe ignores; `fields` has the hints."""
        message = getattr(self.param, section)
        for field, instead in fields.items():
            if getattr(message, field) and message.HasField(field):
                place = self.context.place(section, field)
                log.warning('%slayer "%s": %s has no effect, as in Caffe%s',
                            f"{place}: " if place else "", self.name, field, instead)  # fmt: skip

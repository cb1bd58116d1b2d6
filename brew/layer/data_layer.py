"""Data layers: the contract of layers that read records, with a source and a position in it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from .arity import exactly
from .contract import Context, Layer
from .layout import Shape

if TYPE_CHECKING:
    from brew.proto.brew_pb2 import LayerParameter, SourceState

    from .label_sample import LabelSample


@dataclass(frozen=True, slots=True)
class RandomChoices:
    """The choices of a data layer that depend on random numbers.

    Layers of one `order` that draw the same numbers take the same records.

    records      how many the source has; None: they are not read in order
    source       what they are read from
    order        the settings that their order depends on, besides random numbers; `in_words` goes behind "records come"
    shuffled     their order depends on random numbers
    image        the shape (channels, height, width) of an image before crops
    crop         (height, width) of a random crop; (): none
    mirror       images are mirrored by chance
    passes_over  bad records may be left out, which shifts those behind them
    geometry     what else moves pixels, as field and text
    """

    records: int | None = None
    source: Hashable = None
    order: Hashable = None
    shuffled: bool = False
    image: Shape = ()
    crop: Shape = ()
    mirror: bool = False
    passes_over: bool = False
    in_words: str = "in order"
    geometry: tuple[tuple[str, str], ...] = ()


class DataLayer(Layer):
    """A layer that reads records from a source and keeps its position.

    The same batch goes to whatever device the net is on (`brew.data.feed` holds the implementations).

    brings_images  its first top is images, as its `transform_param` makes them
    waited         seconds that passes have waited for its batches so far, the first of a run apart
    """

    bottoms = exactly(0)
    reads = frozenset()
    brings_images: ClassVar[bool] = False
    batch_size: int
    waited: float = 0.0

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        self.draws = self.name

    @classmethod
    def image_channels(cls, param: LayerParameter) -> int | None:
        """How many channels its images have by its message; None where the records tell."""
        return None

    @classmethod
    def image_size(cls, param: LayerParameter) -> tuple[int, int] | None:
        """(height, width) that its message resizes images to; None where they keep their size."""
        return None

    def draw_as(self, name: str) -> None:
        """Draw the random numbers of the data layer `name` from now on; before the first batch."""
        self.draws = name

    @property
    def random(self) -> bool:
        """Whether order, crop or mirror of its records is random."""
        return False

    def random_choices(self) -> RandomChoices:
        """The random choices. DataError where the source cannot be read."""
        return RandomChoices()

    def next_shapes(self) -> list[Shape]:
        """Shapes of the next batch; waits for it where it is being prefetched."""
        raise NotImplementedError

    def next_batch(self) -> list[npt.NDArray[Any]]:
        """The next batch, one host array per top, valid until the next call; moves the cursor behind it."""
        raise NotImplementedError

    def write_batch(self, tops: Sequence[npt.NDArray[Any]]) -> None:
        """Write the next batch into these host arrays, one per top, of the shapes of `next_shapes`; moves the cursor as
        `next_batch` does. Without a copy of its own where the layer can do so."""
        for top, batch in zip(tops, self.next_batch(), strict=True):
            np.copyto(top, batch)

    def bytes_ahead(self, tops: Sequence[Shape]) -> int:
        """Memory of the batches that it holds beside its tops, at most, where they have these shapes."""
        return 0

    def epoch(self) -> int | None:
        """Records in one pass over the data; None where there is no such number (windows drawn at random)."""
        return None

    def labels(self, top: int, most: int) -> LabelSample | None:
        """The values of top number `top` in at least the first `most` records, and in the last; None where they are no
        labels, or not known before the run. DataError where the source cannot be read."""
        return None

    def not_finite(self) -> str | None:
        """The first record of the last batch with a NaN or infinity, in words; None where all are finite."""
        return None

    def image_shape(self) -> Shape:
        """(channels, height, width) of a record before crops, where that was read from data; else ()."""
        return ()

    def hastened_by(self) -> list[str]:
        """What would make its batches come faster, each in words of its own, the best first."""
        return []

    def state(self) -> SourceState:
        """The position behind the *consumed* records, for a snapshot."""
        raise NotImplementedError

    def restore(self, state: SourceState) -> None:
        """Go on at the position `state`, as a snapshot stored it."""
        raise NotImplementedError

    def skip_to(self, record: int) -> None:
        """Go on at record number `record` (counted over epochs) as an uninterrupted run would have."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop prefetching and close the source."""


@runtime_checkable
class TakesArrays(Protocol):
    """A layer whose data the program hands over: MemoryData."""

    def reset(self, data: npt.ArrayLike, labels: npt.ArrayLike) -> None: ...

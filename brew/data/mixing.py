"""mix_param: mixup and cutmix. Two records of a batch become one, and labels become shares of the classes.

The partners are the first and the second record of a batch, the third and the fourth, and so on: what a record becomes
hangs on its number and its neighbour alone, whatever the size of the batch, which is even.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from brew.cpu.pixels.held import HeldWindows
from brew.errors import DataError
from brew.layer import TRAIN, Shape
from brew.proto.brew_pb2 import MixParameter, TransformationParameter

from .augment.draws import Draw, Draws

if TYPE_CHECKING:
    from .augmentation import Wrong

Array = npt.NDArray[Any]

_ATTEMPTS = 28  # so many have random numbers


class LabelTop:
    """The labels of a data layer: a number a record, or under mix_param a share for each class."""

    def __init__(self, param: TransformationParameter, phase: int, wrong: Wrong) -> None:
        self._param = param.mix_param if param.HasField("mix_param") else None
        self._training, self._wrong = phase == TRAIN, wrong

    @property
    def mixes(self) -> bool:
        """Whether images are mixed, so that they have to be numbers."""
        return self._param is not None and self._training

    def shape(self, records: int) -> Shape:
        return (records,) if self._param is None else (records, self._param.classes)

    def check(self, tops: int, batch_size: int) -> None:
        """NetError where mix_param cannot act in a layer with so many tops and records a batch."""
        if self._param is not None and tops < 2:
            raise self._wrong("mix_param mixes labels too, and there is no label top", "mix_param")
        if self._param is not None and batch_size % 2 and self._training:
            text = f"mix_param mixes pairs of records: an even batch_size is expected, it is {batch_size}"
            raise self._wrong(text, "mix_param")

    def write(
        self,
        images: Array | HeldWindows,
        tops: Sequence[Array],
        labels: npt.ArrayLike,
        name: Callable[[int], str],
        draws: Callable[[int], Draws],
    ) -> None:
        """Write the other `tops` than `images`, and mix both where it `mixes`.

        DataError for labels that are no class of mix_param's.
        """
        if self._param is None:
            for top in tops:
                top[...] = labels
            return
        tops[0][...] = soft_labels(labels, self._param, name, smoothed=self._training)
        if self.mixes:
            assert isinstance(images, np.ndarray)
            mixed(images, tops[0], self._param, draws)


def soft_labels(
    labels: npt.ArrayLike, param: MixParameter, name: Callable[[int], str], *, smoothed: bool
) -> npt.NDArray[np.float32]:
    """(records, classes) of whole-number labels: 1 for the class, or `smoothed`. DataError for one that is no class."""
    numbers = np.asarray(labels)
    wrong = np.flatnonzero((numbers < 0) | (numbers >= param.classes) | (numbers != np.floor(numbers)))
    if len(wrong):
        first = int(wrong[0])
        what = f"{name(first)} has the label {float(numbers[first]):g}; mix_param has {param.classes} classes"
        raise DataError(f"{what}, so that labels go from 0 to {param.classes - 1}")
    rest = param.label_smoothing if smoothed else 0.0
    soft = np.full((len(numbers), param.classes), rest / param.classes, np.float32)
    soft[np.arange(len(numbers)), numbers.astype(np.intp)] += np.float32(1 - rest)
    return soft


def mixed(data: Array, labels: Array, param: MixParameter, draws: Callable[[int], Draws]) -> None:
    """Mix `data` (records, channels, height, width) and soft `labels` (records, classes) in place.

    `draws(number)` are the random numbers of a record of the batch.
    """
    for first in range(0, len(data) - 1, 2):
        pair = slice(first, first + 2)
        before, shares = data[pair].copy(), labels[pair].copy()
        for number in range(2):
            there = first + number
            draw = draws(there).of("mix")
            share: float = _into(data[there], before[1 - number], param, draw)
            labels[there] = shares[number] * share + shares[1 - number] * (1 - share)


def _into(image: Array, other: Array, param: MixParameter, draw: Draw) -> float:
    """Mix the other image into `image`; the share that it keeps."""
    if not draw.chance(param.prob):
        return 1.0
    cuts = draw.chance(0.5) if param.mixup_alpha and param.cutmix_alpha else bool(param.cutmix_alpha)
    if not cuts:
        share = beta(param.mixup_alpha, draw)
        image *= image.dtype.type(share)
        image += other * image.dtype.type(1 - share)
        return share
    place = draw.uniform(), draw.uniform()
    share = beta(param.cutmix_alpha, draw)
    height, width = image.shape[-2:]
    sides = [size * math.sqrt(1 - share) for size in (height, width)]
    (top, bottom), (left, right) = (
        (max(0, int(at * size - side / 2)), min(size, int(at * size + side / 2)))
        for at, size, side in zip(place, (height, width), sides, strict=True)
    )
    image[..., top:bottom, left:right] = other[..., top:bottom, left:right]
    return float(1 - (bottom - top) * (right - left) / (height * width))


def beta(alpha: float, draw: Draw) -> float:
    """A number of the Beta(alpha, alpha) distribution (by Jöhnk for small alpha, by Cheng for others)."""
    return _by_powers(alpha, draw) if alpha <= 1 else _by_logarithms(alpha, draw)


def _by_powers(alpha: float, draw: Draw) -> float:
    for _ in range(_ATTEMPTS):
        a, b = (math.log(1 - draw.uniform()) / alpha for _ in range(2))
        most = max(a, b)
        if most + math.log(math.exp(a - most) + math.exp(b - most)) <= 0:
            return 1 / (1 + math.exp(min(b - a, 700.0)))
    return 0.5  # once in so many records that nobody will meet it


def _by_logarithms(alpha: float, draw: Draw) -> float:
    slope, turn = 1 / math.sqrt(alpha), alpha + math.sqrt(alpha)
    for _ in range(_ATTEMPTS):
        first, second = (1 - draw.uniform() for _ in range(2))
        odds = slope * math.log(first / (1 - first)) if first < 1 else 700.0
        weight = alpha * math.exp(min(odds, 700.0))
        level = 2 * alpha * math.log(2 * alpha / (alpha + weight)) + turn * odds - math.log(4)
        if level >= math.log(first * first * second):
            return weight / (alpha + weight)
    return 0.5

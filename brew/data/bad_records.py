"""Records that cannot be decoded: the first one ends a training, unless max_bad_records allows to skip some."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

from brew.errors import DataError
from brew.proto.brew_pb2 import LayerParameter

log = logging.getLogger("brew")

_Item = TypeVar("_Item")
_Record = TypeVar("_Record")

_TOLD = 10  # bad records that are told one by one; then there is a line at every tenfold
_SECTIONS = {"Data": "data_param", "ImageData": "image_data_param"}


class BadRecords:
    """The bad records that layer `name` has met, and how many it may skip (max_bad_records).

    A record counts once, though it is skipped in every epoch. Skipping depends on the data alone, so a resumed training
    makes the same batches; its count begins at 0.
    """

    def __init__(self, most: int, name: str) -> None:
        self.most = most
        self._name = name
        self._keys: set[Hashable] = set()

    def read(
        self,
        items: Iterable[_Item],
        count: int,
        read: Callable[[_Item], _Record],
        *,
        key: Callable[[_Item], Hashable],
        epoch: Callable[[], int],
    ) -> tuple[list[_Item], list[_Record], list[int]]:
        """The first `count` of `items` for which `read` raises no DataError, their results, and where they stand among
        `items`.

        `items` may go on for ever; `key` tells an item from others, `epoch` gives the number of different ones.
        DataError when more are bad than may be, or all of them.
        """
        good: list[_Item] = []
        records: list[_Record] = []
        places: list[int] = []
        in_a_row = 0
        for place, item in enumerate(items):
            try:
                records.append(read(item))
            except DataError as error:
                self._count(key(item), error)
                in_a_row += 1
                if in_a_row > 2 * epoch():  # in any order, each has been tried
                    raise DataError(f"{error.message}; no other record is any better", place=error.place) from None
                continue
            good.append(item)
            places.append(place)
            in_a_row = 0
            if len(good) == count:
                break
        return good, records, places

    def _count(self, key: Hashable, error: DataError) -> None:
        if self.most == 0:
            hint = "max_bad_records in the layer, or --max-bad-records of brew train, passes over such records"
            raise DataError(error.message, place=error.place, hint=error.hint or hint) from None
        if key in self._keys:
            return
        self._keys.add(key)
        bad = len(self._keys)
        if bad > self.most:
            hint = f"it is bad record number {bad}, and max_bad_records is {self.most}"
            raise DataError(error.message, place=error.place, hint=hint) from None
        if bad <= _TOLD:
            last = "; more of them are counted only" if bad == _TOLD < self.most else ""
            log.warning("layer %s: bad record %d of at most %d is passed over: %s%s", self._name, bad, self.most, error,
                        last)  # fmt: skip
        elif str(bad).strip("0") == "1":
            log.warning("layer %s: %d bad records of at most %d so far", self._name, bad, self.most)


def set_most(layers: Iterable[LayerParameter], most: int) -> None:
    """Let every layer of `layers` that can skip bad records skip up to `most` of them."""
    for layer in layers:
        if layer.type in _SECTIONS:
            getattr(layer, _SECTIONS[layer.type]).max_bad_records = most

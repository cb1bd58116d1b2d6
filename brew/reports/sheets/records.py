"""A contact sheet of records, raw and as a net's data layer draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from brew.data.images.masks import decode_mask
from brew.datasets.stored.entry import Entry, Look, Mark, look
from brew.datasets.stored.opening import open_stored
from brew.plain_text import one_line

from .cards import Box, Card, Frame, Sheet
from .colours import IGNORED, RGB, under_mask
from .drawn import Drawn
from .pixels import is_pixels, picture

Masks = Mapping[bytes, npt.NDArray[np.uint8]]
_MOST_LEGEND = 40  # classes


def masks_of(entries: Sequence[Entry], folder: Path | None) -> Masks:
    """The masks (height, width) of records, from a database with the same keys, or from their rows."""
    found = {}
    if folder is not None:
        with open_stored(folder) as stored:
            for entry in entries:
                other = stored.find(entry.key)
                if other is not None:
                    found[entry.key] = _mask(other)
    for entry in entries:
        if "masks" in entry.row and entry.row["masks"].size:
            mask = entry.row["masks"]
            found[entry.key] = mask.reshape(mask.shape[-2:]).astype(np.uint8)
    return found


def looks_at(entries: Sequence[Entry], others: Mapping[str, Path]) -> list[Look]:
    """A look at each record, with the values that the databases `others` hold under its key. DataError."""
    looks = [look(entry) for entry in entries]
    for name, path in others.items():
        with open_stored(path) as stored:
            for number, entry in enumerate(entries):
                other = stored.find(entry.key)
                if other is not None:
                    seen = looks[number]
                    looks[number] = replace(seen, more={**seen.more, name: look(other).values})
    return looks


def _mask(entry: Entry) -> npt.NDArray[np.uint8]:
    datum = entry.datum()
    values = decode_mask(datum.data) if datum.encoded else look(entry).values
    mask: npt.NDArray[np.uint8] = values.reshape(values.shape[-2:]).astype(np.uint8)
    return mask


def sheet_of(
    entries: Sequence[Entry], title: str, *, names: Sequence[str] = (), notes: Sequence[str] = (),
    masks: Masks | None = None, drawn: Drawn | None = None, others: Mapping[str, Path] | None = None,
) -> Sheet:  # fmt: skip
    """The sheet of `entries`, whose classes have these `names`; `others` as in `looks_at`. DataError.

    Every text of it is in one line, without control characters, which no SVG may have.
    """
    masks = masks or {}
    names = [one_line(name) for name in names]
    cards = []
    shown: set[int] = set()
    for number, (entry, seen) in enumerate(zip(entries, looks_at(entries, others or {}), strict=True)):
        pixels = picture(seen.values)
        mask = masks.get(entry.key)
        if mask is not None and mask.shape == pixels.shape[:2]:
            shown.update(np.unique(mask).tolist())
            pixels = under_mask(pixels, mask)
        frames = [Frame(pixels, _boxes(seen.boxes, names))]
        shown.update(mark.label for mark in seen.boxes)
        for values, marks in _draws(drawn, number):
            frames.append(Frame(_as_stored(values, seen.values), _boxes(marks, names)))
        cards.append(_card(seen, frames, names))
    if drawn is not None:
        times = f"{len(drawn.values)} times " if len(drawn.values) > 1 else ""
        notes = [*notes, f"left: as stored; beside it {times}as the net gets it: {drawn.what}",
                 f"values from {drawn.low:.4g} to {drawn.high:.4g}; mean and scale are undone here"]  # fmt: skip
    legend = [(label, _name(names, label)) for label in sorted(shown - ({0} if masks else set()))][:_MOST_LEGEND]
    return Sheet(one_line(title), [one_line(note) for note in notes], cards, legend, names)


def _draws(drawn: Drawn | None, number: int) -> list[tuple[npt.NDArray[Any], tuple[Mark, ...]]]:
    if drawn is None:
        return []
    return [(values[number], boxes[number]) for values, boxes in zip(drawn.values, drawn.boxes, strict=True)]


def _as_stored(values: npt.NDArray[Any], stored: npt.NDArray[Any]) -> RGB:
    """A picture of what the net gets: in bytes again, where bytes are stored."""
    return picture(np.rint(np.clip(values, 0, 255)).astype(np.uint8) if is_pixels(stored) else values)


def _boxes(marks: Sequence[Mark], names: Sequence[str]) -> tuple[Box, ...]:
    """Those that have a place: a side may be no number."""
    return tuple(
        Box((m.left, m.top, m.right, m.bottom), m.label, _name(names, m.label) + (" *" if m.difficult else ""))
        for m in marks
        if not np.isnan([m.left, m.top, m.right, m.bottom]).any()
    )


def _card(seen: Look, frames: Sequence[Frame], names: Sequence[str]) -> Card:
    words = [_name(names, seen.label)] if seen.label is not None else []
    title = "; ".join(filter(None, [*words, _others(seen, names)]))
    facts = f"{'x'.join(map(str, seen.values.shape)) or 'number'} · {kind_of(seen)} · {_bytes(seen.size)}"
    return Card(frames, one_line(title), seen.label, one_line(seen.key), one_line(facts), seen.size)


def _others(seen: Look, names: Sequence[str]) -> str:
    """The words beside a class: other values of the record, or the classes of its boxes."""
    if seen.boxes:
        return ", ".join(dict.fromkeys(_name(names, mark.label) for mark in seen.boxes))
    return "; ".join(f"{name} {numbers(values)}" for name, values in seen.more.items() if name != "masks")


def numbers(values: npt.NDArray[Any], most: int = 6) -> str:
    """The first few of some numbers.

    >>> numbers(np.array([1, 2.5])), numbers(np.arange(9), 3)
    ('1, 2.5', '0, 1, 2, …')
    """
    flat = values.reshape(-1)
    shown = [f"{float(value):.4g}" for value in flat[:most]]
    return ", ".join([*shown, *(["…"] if flat.size > most else [])])


def kind_of(seen: Look) -> str:
    """How a record is stored, in a word."""
    return seen.stored or ("raw" if seen.values.dtype == np.uint8 else str(seen.values.dtype))


def _bytes(size: int) -> str:
    return f"{size} B" if size < 1000 else f"{size / 1024:.1f} KiB" if size < 1 << 20 else f"{size / (1 << 20):.1f} MiB"


def _name(names: Sequence[str], label: int) -> str:
    if 0 <= label < len(names):
        return names[label]
    return "ignored" if label == IGNORED and names else f"class {label}"

"""Recordings: in class folders, with labels in their names, or in a list; each becomes a record, or several windows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from brew.datasets.features.holdings import HOLDING_OPTIONS, Holding, holding, holds, items_of
from brew.datasets.features.options import Options
from brew.datasets.features.standard import measured
from brew.datasets.sources.items import Content, Item, Pile, Problem
from brew.datasets.sources.trees import class_order, class_tree
from brew.errors import BrewError, DataError, UsageError

from .files import HEAD, examined, is_sound
from .kept import Kept
from .patterns import Pattern, selections
from .preparation import PLACES, SoundPreparation
from .spectra import MELS, MelSettings, log_mel
from .wav import MOST_RATE, BadSound, Samples

_KEPT = 512 << 20  # bytes of recordings that windows are cut from
_MEASURED = 2000  # recordings, of which means are taken
_MOST_SECONDS = 60.0  # of records whose length nobody said


class Facts(NamedTuple):
    """Samples a second of a recording, and how many it has."""

    rate: int
    samples: int


class Sound(Pile):
    """Recordings as log-mel spectrograms or samples."""

    kind = "recordings"
    OPTIONS: ClassVar[Mapping[str, str]] = {
        "features": "logmel (spectrograms, 1 x frames x bands) or raw (samples, 1 x 1 x length); logmel",
        "rate": "samples a second that all are brought to (as they are)",
        "length": "seconds of a record: shorter ones are filled with silence, longer ones cut (that of the longest)",
        "pad": "where silence is added: start, end or both; end",
        "crop": "where longer ones are cut: start, end or both; end",
        "stride": "seconds from one window of `length` to the next, each a record (one record for each recording)",
        "window": "milliseconds of a frame (25)",
        "hop": "milliseconds from frame to frame (10)",
        "fft": "points of the transform (the next power of 2 above the window)",
        "bands": "mel bands (40)",
        "low": "lowest frequency in Hz (20)",
        "high": "highest frequency in Hz (half the rate)",
        "mel": "the scale: htk or slaney; htk",
        "offset": "added before the logarithm (1e-6)",
        "standardise": "bands (each by its own mean and deviation in train), all or none; bands (raw: none)",
        "pattern": 'what names say: "{label}_{speaker}_{index}.wav"',
        "group": "the field of the names that stays in one part: speaker; or the column of a list",
        "test": "which names are for test: index:0-4 or speaker:ann,bob",
        "val": "which names are for val",
        **HOLDING_OPTIONS,
    }

    def __init__(self, path: Path, options: Mapping[str, str]) -> None:
        self.path = path
        given = Options(options, "sound")
        self._files = holding(path, is_sound, options)
        items, self.labels, notes, problems = _items(self._files, given, path)
        self._facts: dict[str, Facts] = {}
        for item in items:
            try:
                self._facts[item.name] = _facts(self._files, item.name)
            except (BadSound, DataError):
                self._facts[item.name] = Facts(0, 0)  # reading it tells what is wrong
        self._prepared = _settings(given, self._facts)
        self._standardise = given.choice("standardise", ("bands", "all", "none"),
                                         "bands" if self._prepared.mel else "none")  # fmt: skip
        self._places: dict[str, tuple[str, int]] = {}  # file, and first sample of a window
        self._kept = Kept(_KEPT)
        self.items = self._windows(items, given)
        self.target_names = () if self._files.listed is None else self._files.listed.target_names
        self.problems = [*self._files.problems, *problems]
        self.notes = [*notes, *self._notes(items, windows="stride" in given)]

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether recordings lie in a folder or a zip archive, or a list names them."""
        return holds(path, is_sound)

    @property
    def preparation(self) -> Mapping[str, Any]:  # type: ignore[override]
        """What is done to each recording."""
        return self._prepared.words()

    def fit(self, items: Sequence[Item]) -> None:
        """Measure the means, of recordings spread evenly over `items`."""
        if self._standardise == "none":
            return
        step = max(1, -(-len(items) // _MEASURED))
        standard = measured(self._pieces(items[::step]), together=self._standardise == "all")
        self._prepared = replace(self._prepared, standard=standard)

    def stamp(self, item: Item) -> str:
        return self._files.stamp(self._file(item))

    def read(self, item: Item) -> Content:
        values = self._prepared.values(self._samples(item))
        return Content(values.pop("data"), more=values)

    def close(self) -> None:
        self._files.close()

    def _file(self, item: Item) -> str:
        return self._places[item.name][0] if item.name in self._places else item.name

    def _samples(self, item: Item) -> Samples:
        if item.name not in self._places:
            return self._decoded(item.name, item)
        file, start = self._places[item.name]
        samples = self._kept.get(file)
        if samples is None:
            samples = self._decoded(file, item)
            self._kept.put(file, samples)
        samples = samples[start : start + self._prepared.length]
        if not samples.size:
            raise DataError("the recording ends before this window", place=item.place)
        return samples

    def _decoded(self, file: str, item: Item) -> Samples:
        data = self._files.read(file)
        try:
            return self._prepared.decoded(data)
        except BadSound as error:
            raise DataError(str(error), place=item.place) from None

    def _pieces(self, items: Sequence[Item]) -> Iterable[np.ndarray[Any, Any]]:
        """What a mean is taken of: frames of each recording without the silence that is added."""
        mel = self._prepared.mel
        for item in items:
            try:
                fixed, first, last = self._prepared.fixed(self._samples(item))
            except (BrewError, OSError):
                continue
            if mel is None:
                yield fixed[first:last, None]
            elif last - first >= mel.window:
                yield log_mel(fixed[first:last], mel)

    def _windows(self, items: Sequence[Item], given: Options) -> Sequence[Item]:
        """Each item, or a window of it at every stride; those of one recording are of one group."""
        seconds = given.number("stride", 0.001, 3600)
        if seconds is None:
            return items
        prepared, found = self._prepared, []
        stride = max(1, round(seconds * prepared.rate))
        for item in items:
            rate, samples = self._facts[item.name]
            total = -(-samples * prepared.rate // rate) if rate else 0
            for start in range(0, max(1, total - prepared.length + 1), stride):
                name = f"{item.name}@{start / prepared.rate:.3f}"
                self._places[name] = item.name, start
                found.append(replace(item, name=name, group=item.group or item.name))
        return found

    def _notes(self, items: Sequence[Item], *, windows: bool) -> list[str]:
        prepared = self._prepared
        facts = [fact for item in items if (fact := self._facts[item.name]).rate]
        lengths = [fact.samples * prepared.rate / fact.rate for fact in facts]
        long, short = sum(n > prepared.length for n in lengths), sum(n < prepared.length for n in lengths)
        notes = [f"a record is {prepared.length / prepared.rate:g} s of {prepared.rate} samples a second"]
        if long and not windows:
            notes.append(f"{long} of {len(items)} recordings are longer and are cut, {short} are filled with silence")
        if other := sum(fact.rate != prepared.rate for fact in facts):
            notes.append(f"{other} recordings had another rate and were resampled")
        if self._files.others:
            notes.append(f"{self._files.others} files left out, no sound by their names")
        return notes


def _items(
    files: Holding, given: Options, path: Path
) -> tuple[list[Item], tuple[str, ...], Sequence[str], list[Problem]]:
    """(items, labels, notes, problems): by a list, by a pattern of the names, else by folders."""
    pattern = given.text("pattern")
    if pattern is not None:
        return _by_pattern(files, Pattern(pattern), given)
    for name in ("test", "val"):
        if name in given:
            raise given.wrong(name, "a pattern, whose fields it can name,")
    if files.listed is not None:
        return list(files.listed.items), files.listed.labels, files.listed.notes, []
    if "group" in given:
        raise given.wrong("group", "a pattern, one of whose fields it can be,")
    tree = class_tree(files.names, is_sound, "sounds")
    if not tree.items:
        shown = ", ".join(files.names[:3]) or "none"
        raise DataError(
            f"{path} has no recordings in class folders (recordings: {shown})",
            hint='--set "pattern={label}_{speaker}_{index}.wav" takes labels from names; a CSV of files and labels is '
            "a source too",
        )
    return list(tree.items), tree.labels, tree.notes, []


def _by_pattern(
    files: Holding, pattern: Pattern, given: Options
) -> tuple[list[Item], tuple[str, ...], Sequence[str], list[Problem]]:
    group = given.text("group")
    if group is not None and group not in pattern.fields:
        raise given.wrong("group", f"one of the fields {', '.join(pattern.fields)}")
    chosen = selections(given, pattern.fields)
    found: list[tuple[str, dict[str, str]]] = []
    problems: list[Problem] = []
    for name in files.names:
        fields = pattern.fields_of(name)
        if fields is None:
            problems.append(Problem(name, f"its name is not as the pattern {pattern.text} has it"))
        else:
            found.append((name, fields))
    if not found:
        raise DataError(f"no name is as the pattern {pattern.text} has it", hint=f"names: {', '.join(files.names[:3])}")
    labels = class_order(fields["label"] for _, fields in found) if "label" in pattern.fields else ()
    numbers = {label: number for number, label in enumerate(labels)}
    listed = items_of(files)
    items = []
    for name, fields in found:
        part = next((selection.part for selection in chosen if selection.takes(fields)), "train" if chosen else None)
        item = listed.get(name, Item(name))
        label = numbers[fields["label"]] if labels else item.label
        items.append(replace(item, label=label, part=part or item.part, group=fields[group] if group else item.group))
    if chosen and not any(item.part != "train" for item in items):
        raise UsageError("no name is of a part that was selected: nothing would be for test or val")
    return items, labels or (files.listed.labels if files.listed else ()), [], problems


def _facts(files: Holding, name: str) -> Facts:
    head, size = files.head(name, HEAD)
    return Facts(*examined(head, lambda: files.read(name), size))


def _settings(given: Options, facts: Mapping[str, Facts]) -> SoundPreparation:
    """What is to be done, before means are measured; UsageError, DataError."""
    rates = {fact.rate for fact in facts.values() if fact.rate}
    rate = given.whole("rate", 1, MOST_RATE)
    if rate is None:
        if len(rates) > 1:
            shown = ", ".join(map(str, sorted(rates)[:6]))
            raise DataError(
                f"the recordings have {shown} samples a second", hint="--set rate=16000 brings them to one rate"
            )
        rate = rates.pop() if rates else 16_000
    longest = max((fact.samples / fact.rate for fact in facts.values() if fact.rate), default=1.0)
    seconds = given.number("length", 0.001, 3600)
    if seconds is None:
        if longest > _MOST_SECONDS or "stride" in given:
            raise UsageError(
                f"the longest recording has {longest:.1f} s", hint="--set length=2 says the seconds of a record"
            )
        seconds = longest
    length = max(1, round(seconds * rate))
    pad, crop = given.choice("pad", PLACES, "end"), given.choice("crop", PLACES, "end")
    if given.choice("features", ("logmel", "raw"), "logmel") == "raw":
        unused = [name for name in ("window", "hop", "fft", "bands", "low", "high", "mel", "offset") if name in given]
        if unused:
            raise given.wrong(unused[0], "features=logmel")
        return SoundPreparation(rate, length, pad, crop, None)
    mel = _mel(given, rate)
    if length < mel.window:
        raise UsageError(f"a record of {length} samples is shorter than a window of {mel.window}")
    return SoundPreparation(rate, length, pad, crop, mel)


def _mel(given: Options, rate: int) -> MelSettings:
    window = max(1, round((given.number("window", 0.01, 10_000) or 25) * rate / 1000))
    hop = max(1, round((given.number("hop", 0.01, 10_000) or 10) * rate / 1000))
    low, high = given.number("low", 0, MOST_RATE), given.number("high", 0, MOST_RATE)
    settings = MelSettings(
        rate, window, hop, given.whole("fft", 1, 1 << 20) or 1 << (window - 1).bit_length(),
        given.whole("bands", 1, 4096) or 40, 20.0 if low is None else low, rate / 2 if high is None else high,
        given.choice("mel", MELS, "htk"), given.number("offset", 1e-30, 1e6) or 1e-6,
    )  # fmt: skip
    problem = settings.problem()
    if problem is not None:
        raise UsageError(problem)
    return settings

"""Imports: a source becomes databases, labels.txt and dataset.yaml in one folder, whole or not at all.

An import is planned, which the same source and settings do alike (plan, division); then its records are written beside
its place, in pieces that a journal tells (staging, filling); then all moves to its place (placing). An import that was
killed goes on behind the last piece, and its result is the same, bit for bit.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brew.cpu import threads
from brew.data import labels
from brew.errors import BrewError, DataError, ResourceError
from brew.files.atomic import flush, reason

from . import description, division, plan
from .annotated import LABEL_MAP, label_map
from .features import model_yaml
from .filling import Filler, Part
from .pictures import Coloured, Form
from .placing import check_place, put_in_place
from .plan import Progress, Sample
from .records import Maker
from .settings import ImportSettings
from .sources.items import Problem, Source
from .staging import Staging, staged
from .writers import Hdf5Writer, LmdbWriter

log = logging.getLogger("brew")

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NAMED = 3  # items in an error


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import wrote: the names of all files in its folder, and of each part what it holds."""

    out: Path
    files: tuple[str, ...]
    parts: Mapping[str, description.Tally]
    left_out: Sequence[Problem]


def import_data(
    source: Source,
    out: Path,
    settings: ImportSettings,
    progress: Progress | None = None,
    options: Mapping[str, str] | None = None,
) -> Imported:
    """Write `source` into the folder `out`; `options` are those it was opened with.

    What an import with the same source, settings and options left there when it was killed, or when the disk was full,
    is gone on with. `progress(what, done, total)` is called with items. UsageError for settings that the source cannot
    have, DataError for what is in the way and for more items that cannot be read than `max_bad`, ResourceError
    where there is no room.
    """
    with staged(out) as staging, _errors_of(out, staging):
        job = _Import(source, out, settings, staging, progress or (lambda what, done, total: None), options or {})
        try:
            return job.run()
        except Coloured:
            log.info("there are pictures in colours, though the first ones looked at were gray: it begins anew")
            job.colour = True
            staging.begin(job.header())
            return job.run()
        except BrewError:
            if not job.has_begun:
                staging.remove()
            raise


@contextmanager
def _errors_of(out: Path, staging: Staging) -> Iterator[None]:
    stays = f"what was written so far stays in {staging.folder}: the same command goes on"
    try:
        yield
    except OSError as error:
        hint = f"{stays} when there is room" if error.errno in _FULL else stays
        raise ResourceError(f"the import to {out} cannot be written: {reason(error)}", hint=hint) from error
    except KeyboardInterrupt:
        log.info("interrupted; %s", stays)
        raise


class _Import:
    """One import, on its way."""

    def __init__(
        self,
        source: Source,
        out: Path,
        settings: ImportSettings,
        staging: Staging,
        progress: Progress,
        options: Mapping[str, str],
    ) -> None:
        self.source, self.out, self.settings = source, out, settings
        self.staging, self.progress = staging, progress
        self.workers = settings.workers or threads.wanted()
        self.colour = False  # though the first pictures are gray
        self.stamps = plan.stamps_of(source)
        self.wanted, self.there = plan.fingerprints(source, settings, dict(options), self.stamps)
        self.parts: dict[str, Part] = {}
        self.together = 0

    @property
    def has_begun(self) -> bool:
        """Whether there is anything that a later import could go on with."""
        return any(part.at for part in self.parts.values())

    def header(self) -> dict[str, Any]:
        """The first entry of the journal."""
        return {"wanted": self.wanted, "there": self.there, "colour": self.colour}

    def run(self) -> Imported:
        if self._resume():
            return self._placed()
        orders = self._orders()
        self.source.fit([self.source.items[number] for number in orders.get("train", ())])
        sample = Sample.of(self.source)
        form = Form(self.settings, gray=False, guessed=False) if self.colour else plan.form_of(self.settings, sample)
        left = sum(
            len(order) - self.parts[name].at if name in self.parts else len(order) for name, order in orders.items()
        )
        plan.check_room(self.staging.folder, self.source, self.settings, sample, left)
        filler = Filler(self.source, self.stamps, Maker(form), self.staging, self.workers)
        for problem in self.source.problems:
            filler.tell(problem)
        for name, order in orders.items():
            filler.fill(name, order, self.parts.setdefault(name, Part()), sample.pixels, self.progress)
        return self._completed()

    def _resume(self) -> bool:
        """Take up what the journal tells, or begin one; whether all is written already."""
        entries = self.staging.entries()
        header, rest = (entries[0], entries[1:]) if entries else ({}, [])
        complete = bool(rest) and rest[-1].get("complete", False)
        changed = [
            what for what, key in (("settings", "wanted"), ("source", "there")) if header.get(key) != getattr(self, key)
        ]
        if not changed:
            self.colour = header["colour"]
            self._take(rest)
            if not complete and (done := sum(part.at for part in self.parts.values())):
                log.info("going on behind %d of %d items", done, len(self.source.items))
            return complete
        if complete and self.staging.is_placing:
            put_in_place(self.staging, self.out)
        elif header:
            log.warning("an import to %s was begun, and its %s changed since: it begins anew", self.out, changed[0])
        check_place(self.out, self._names(), overwrite=self.settings.overwrite)
        self.staging.begin(self.header())
        return False

    def _take(self, entries: Sequence[dict[str, Any]]) -> None:
        writer = Hdf5Writer if self.settings.format == "hdf5" else LmdbWriter
        for entry in entries:
            if "part" in entry:
                self.parts.setdefault(entry["part"], Part()).take(entry, writer)

    def _names(self) -> list[str]:
        """What is going to stand in the place, as far as the source tells."""
        parts: set[str] = {item.part or "train" for item in self.source.items}
        parts |= {part for part, share in (("val", self.settings.val), ("test", self.settings.test)) if share}
        ends = ["_lmdb"] if self.settings.format == "lmdb" else [".h5", "_list.txt"]
        beside = [LABEL_MAP] if self._has_boxes() else []
        beside += [model_yaml.FILE] if self.source.preparation is not None else []
        return [*(f"{part}{end}" for part in sorted(parts) for end in ends), *beside, labels.FILE, description.FILE]

    def _has_boxes(self) -> bool:
        return any(item.boxes is not None for item in self.source.items)

    def _orders(self) -> Mapping[str, list[int]]:
        """The items of every part, in the order of their records."""
        numbers = division.divisible(self.source.items, self.settings)
        pairs: list[tuple[int, int]] = []
        if numbers and self.settings.compare:
            file = self.staging.signatures
            pairs = plan.alike(self.source, numbers, file, self.workers, self.progress)
            self.together = len(pairs)
        return division.divide(self.source.items, pairs, self.settings)

    def _completed(self) -> Imported:
        """Write what stands beside the databases, and put all in place."""
        failures = self._failures()
        if len(failures) > self.settings.max_bad or not any(part.tally.records for part in self.parts.values()):
            raise self._refusal(failures)
        ready = self.staging.ready
        if self.source.labels:
            text = labels.as_text(self.source.labels)
            for folder in (ready, *(path for path in ready.iterdir() if path.is_dir())):
                (folder / labels.FILE).write_text(text, "utf-8", errors="backslashreplace")
        if self.source.preparation is not None:
            text = model_yaml.as_text(self.source.preparation, labelled=bool(self.source.labels))
            (ready / model_yaml.FILE).write_text(text, "utf-8", errors="backslashreplace")
        if self._has_boxes():
            text = label_map(self.source.labels)
            (ready / LABEL_MAP).write_text(text, "utf-8", errors="backslashreplace")
        files = sorted(path.name for path in ready.iterdir() if path.name != description.FILE)
        tallies = {name: part.tally for name, part in self.parts.items()}
        text = description.describe(self.source, self.settings, tallies, failures, files, together=self.together)
        (ready / description.FILE).write_text(text, "utf-8", errors="backslashreplace")
        for path in ready.rglob("*.*"):
            flush(path)
        self.staging.note({"complete": True})
        return self._placed()

    def _placed(self) -> Imported:
        if not self.staging.is_placing:
            check_place(self.out, self.staging.names(), overwrite=self.settings.overwrite)
        files = put_in_place(self.staging, self.out)
        self.staging.remove()
        tallies = {name: part.tally for name, part in self.parts.items()}
        return Imported(self.out, files, tallies, self._failures())

    def _failures(self) -> list[Problem]:
        return [*self.source.problems, *(failure for part in self.parts.values() for failure in part.failures)]

    def _refusal(self, failures: Sequence[Problem]) -> DataError:
        self.staging.bad.write_text("".join(f"{f.name}\t{f.reason}\n" for f in failures), "utf-8", "backslashreplace")
        named = "; ".join(f"{failure.name}: {failure.reason}" for failure in failures[:_NAMED])
        more = f"; and {len(failures) - _NAMED} more, all in {self.staging.bad}" if len(failures) > _NAMED else ""
        count = len(self.source.items) + len(self.source.problems)
        hint = (
            f"--max-bad {len(failures)} leaves them out, and goes on from what is written"
            if len(failures) < count
            else None
        )
        return DataError(f"{len(failures)} of {count} items cannot be imported: {named}{more}", hint=hint)

"""The records of a part: read by many threads, written in order, settled piece by piece."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from brew.errors import DataError
from brew.files.atomic import reason

from .description import Tally
from .reading import in_order
from .records import Made, Maker
from .sources.items import Item, Problem, Source
from .staging import Entry, Staging
from .writers import Hdf5Writer, LmdbWriter, State

log = logging.getLogger("brew")

_RECORDS, _BYTES = 1000, 64 << 20  # of a piece that is settled
_PIECE = 1 << 20  # bytes that a thread reads at a time
_SHOWN = 20  # items from one move of the bar to the next
_TOLD = 100  # failures that are told one by one


@dataclass
class Part:
    """What is known of a part: how far it is, what it holds, what could not be read."""

    at: int = 0  # items of its order that are dealt with
    done: bool = False
    state: State = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    failures: list[Problem] = field(default_factory=list)

    def take(self, entry: Entry, writer: type[LmdbWriter] | type[Hdf5Writer]) -> None:
        """Go on to what an entry of the journal tells."""
        self.at, self.done = entry["at"], entry["done"]
        self.state = writer.joined(self.state, entry["state"])
        self.tally = Tally.of_json(entry["tally"])
        self.failures += [Problem(*failure) for failure in entry["failures"]]


@dataclass
class Filler:
    """Fills parts with the items of `source`, whose `stamps` are as they were when the import was planned."""

    source: Source
    stamps: Sequence[str]
    maker: Maker
    staging: Staging
    workers: int
    told: int = 0  # failures

    def fill(
        self,
        name: str,
        order: Sequence[int],
        part: Part,
        bytes_each: float,
        progress: Callable[[str, int, int | None], None],
    ) -> None:
        """Write what is left of the part `name`, whose records are the items `order`. OSError where it cannot be."""
        if part.done:
            return
        writer = self.writer(name, part.state)
        items = self.source.items
        piece = int(max(1, min(64, _PIECE // max(1.0, bytes_each))))
        size, settled, new = 0, part.at, list[Problem]()
        try:
            self.source.expect([items[number] for number in order[part.at :]])
            results = in_order(self._read, order[part.at :], workers=self.workers, piece=piece)
            for result in results:
                item = items[order[part.at]]
                if isinstance(result, Problem):
                    self.tell(result)
                    new.append(result)
                else:
                    size += writer.put(part.at, item, result.values)
                    part.tally.count(item, result.shape, result.told)
                part.at += 1
                last = part.at == len(order)
                if last or part.at - settled >= _RECORDS or size >= _BYTES:
                    self._settle(name, part, writer, new)
                    size, settled, new = 0, part.at, []
                if last or part.at % _SHOWN == 0:
                    progress(name, part.at, len(order))
            writer.finish()
        finally:
            writer.close()
        part.done = True
        self._note(name, part, {}, [])

    def writer(self, name: str, state: State) -> LmdbWriter | Hdf5Writer:
        """The writer of a part's files."""
        if self.maker.form.settings.format == "hdf5":
            return Hdf5Writer(self.staging.ready, self.staging.rows, name, state)
        return LmdbWriter(self.staging.ready, name, state)

    def _settle(self, name: str, part: Part, writer: LmdbWriter | Hdf5Writer, new: list[Problem]) -> None:
        part.failures += new
        self._note(name, part, writer.settle(), new)

    def _note(self, name: str, part: Part, state: State, new: list[Problem]) -> None:
        self.staging.note({"part": name, "at": part.at, "done": part.done, "state": state,
                           "tally": part.tally.as_json(), "failures": new})  # fmt: skip

    def _read(self, number: int) -> Made | Problem:
        item = self.source.items[number]
        try:
            content = self.source.read(item)
            if self.source.stamp(item) != self.stamps[number]:
                return Problem(item.name, "it was changed while it was imported")
        except DataError as error:
            return Problem(item.name, str(error))
        except OSError as error:
            return Problem(item.name, f"it cannot be read: {reason(error)}")
        try:
            return self.maker.make(item, content)
        except DataError as error:
            return Problem(item.name, _placed(error, item))
        except MemoryError:
            return Problem(item.name, "there is not enough memory for it")

    def tell(self, problem: Problem) -> None:
        """Warn of an item that cannot be imported; of the many behind the first ones, one by one no more."""
        self.told += 1
        if self.told <= _TOLD:
            more = "; more of them are counted only" if self.told == _TOLD else ""
            log.warning("cannot be imported: %s: %s%s", problem.name, problem.reason, more)


def _placed(error: DataError, item: Item) -> str:
    """The message behind the item's name; the place is that of the line which names it."""
    where = f"{item.place}: " if item.place else ""
    return f"{where}{error.message}"

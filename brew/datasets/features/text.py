"""Texts: files in class folders, a column of a table, or one long text, in windows, whose next unit is predicted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np

from brew.datasets.sources.items import Content, Item, Pile, Problem, file_stamp
from brew.datasets.sources.tables import NAMED, read_table
from brew.datasets.sources.trees import class_tree
from brew.errors import BrewError, DataError, Place, UsageError
from brew.files import regular

from . import parts_in_time
from .columns import is_missing
from .holdings import Holding, holding, holds
from .options import Options
from .targets import targets
from .text_preparation import CHARACTERS, END, FIRST, START, WORDS, TextPreparation, tokens_of

_TEXTS = {".txt", ".text", ".md"}
_MOST_UNITS = 10_000_000
_TEXT_TITLES = "text", "sentence", "review", "message", "content"


class Texts(Pile):
    """Texts as numbers of their units."""

    kind = "texts"
    OPTIONS: ClassVar[Mapping[str, str]] = {
        "units": "characters or words; words (characters where the next unit is predicted)",
        "length": "units of a record: shorter texts are filled, longer ones cut; 128",
        "vocabulary": "how many units are kept, the most frequent of train: 10000",
        "minimum": "how often a unit must come in train to be kept: 1",
        "lower": "whether letters become small: yes or no; yes for words",
        "pad": "where a short text is filled: start or end; start (an LSTM's last step is then the text's end)",
        "crop": "where a long text is cut: start or end; end",
        "predict": "class, or next: of each unit the one behind it; class where there are any",
        "lines": "whether each line of a text file is a text of its own: yes or no; no",
        "stride": "where the next unit is predicted: units from window to window (the length)",
        "text": "of a table: the column of the texts",
        "target": "of a table: the column of the class",
        "header": "of a table: whether the first line has titles: yes or no (by what stands below)",
        **parts_in_time.OPTIONS,
    }

    def __init__(self, path: Path, options: Mapping[str, str]) -> None:
        self.path = path
        self._given = given = Options(options, "text")
        self._files: Holding | None = None
        self._texts: dict[str, str | Sequence[str]] = {}  # of a table, or of a long text its units
        self._starts: dict[str, tuple[str, int]] = {}
        self.problems: Sequence[Problem] = ()
        items = self._opened(path, given)
        labelled = any(item.label is not None for item in items)
        self._following = given.choice("predict", ("class", "next"), "class" if labelled else "next") == "next"
        if not labelled and not self._following:
            raise given.wrong("predict", "a source with classes: class folders, or a table with a target,")
        self._check(given, path)
        self._prepared, self._measured = self._settings(given), False
        self.items = self._windows(items, given) if self._following else items
        if self._following:
            self.labels = ()
        if not self.items:
            raise DataError(f"{path} holds no text of two units or more", hint=_first(self.problems))
        self.notes = [*self.notes, *self._told()]

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether it is a text file, or a folder or zip archive of some."""
        if path.is_file() and is_text(path.name):
            try:
                regular.head(path, 4096).decode("utf-8-sig", "strict")
            except UnicodeDecodeError as error:
                return error.start > 4000  # a character was cut
            except OSError:
                return False
            return True
        return (path.is_dir() or path.suffix.lower() == ".zip") and holds(path, is_text)

    @property
    def preparation(self) -> Mapping[str, Any]:  # type: ignore[override]
        """What is done to each text."""
        return self._prepared.words()

    def fit(self, items: Sequence[Item]) -> None:
        """Take down the units of the texts of `items`: the most frequent first."""
        counts: Counter[str] = Counter()
        for item in items:
            try:
                counts.update(self._units(item))
            except (BrewError, OSError):
                continue
        most = self._given.whole("vocabulary", 1, 1_000_000) or 10_000
        least = self._given.whole("minimum", 1, 1_000_000) or 1
        kept = sorted((unit for unit, count in counts.items() if count >= least), key=lambda u: (-counts[u], u))[:most]
        self._prepared, self._measured = replace(self._prepared, vocabulary=tuple(kept)), True
        ids = f"{len(kept)} of {len(counts)} units of train are known; input_dim of an Embed layer: {len(kept) + FIRST}"
        self.notes = [*self.notes, ids]

    def stamp(self, item: Item) -> str:
        return file_stamp(self.path) if self._files is None else self._files.stamp(self._file(item))

    def read(self, item: Item) -> Content:
        if not self._measured:  # equal texts are kept in one part
            return Content(np.frombuffer("\0".join(self._units(item)).encode("utf-8", "surrogatepass"), np.uint8))
        values = self._prepared.values(self._units(item), following=self._following)
        return Content(values.pop("data"), more=values)

    def close(self) -> None:
        if self._files is not None:
            self._files.close()

    # --- what is there ------------------------------------------------------------------------------------------------

    def _opened(self, path: Path, given: Options) -> list[Item]:
        if path.is_file() and path.suffix.lower() in NAMED:
            return self._of_table(path, given)
        if path.is_file() and path.suffix.lower() != ".zip":
            try:
                text = _decoded(regular.read_bytes(path), str(path))
            except OSError as error:
                raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
            if not given.flag("lines", False):
                self._texts["text"] = text
                return [Item("text")]
            lines = [(f"line{number}", line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
            self._texts.update(lines)
            return [Item(name, place=Place(str(path), int(name[4:]))) for name, _ in lines]
        self._files = holding(path, is_text, {})
        self.problems = self._files.problems
        tree = class_tree(self._files.names, is_text, "texts")
        self.notes = tree.notes
        self.labels = tree.labels
        return list(tree.items) if tree.labels else [Item(name, group=name) for name in self._files.names]

    def _of_table(self, path: Path, given: Options) -> list[Item]:
        table = read_table(path, header=given.flag("header", True) if "header" in given else None)
        said = given.text("text") or next((t for t in table.header if t.strip().lower() in _TEXT_TITLES), None)
        if said is None:
            known = ", ".join(table.header) or f"1 to {table.width}"
            raise UsageError(f"{path}: which column holds the texts?", hint=f"--set text=NAME; columns: {known}")
        column, wanted = table.column(said), targets(table, given)
        if wanted.titles:
            raise UsageError(f'"{wanted.titles[0]}" holds values; of texts classes are predicted')
        self.labels, self.notes = wanted.labels, wanted.notes
        items: list[Item] = []
        problems: list[Problem] = []
        for row in table.rows:
            name = f"line{row.line}"
            try:
                if len(row.cells) != table.width:
                    raise ValueError(f"it has {len(row.cells)} columns; {table.width} are expected")
                if is_missing(row.cells[column]):
                    raise ValueError("its text is missing")
                items.append(Item(name, wanted.label(row.cells), place=Place(str(path), row.line)))
                self._texts[name] = row.cells[column]
            except ValueError as error:
                problems.append(Problem(name, str(error)))
        self.problems = problems
        return items

    def _check(self, given: Options, path: Path) -> None:
        """UsageError for options that would do nothing."""
        is_table = path.is_file() and path.suffix.lower() in NAMED
        unused = {"a table": () if is_table else ("text", "target", "header"),
                  "one text file": ("lines",) if is_table or self._files is not None else (),
                  "predict=next": () if self._following else ("stride", *parts_in_time.OPTIONS)}  # fmt: skip
        for wanted, names in unused.items():
            for name in names:
                if name in given:
                    raise given.wrong(name, wanted)

    def _settings(self, given: Options) -> TextPreparation:
        units = given.choice("units", (CHARACTERS, WORDS), CHARACTERS if self._following else WORDS)
        length = given.whole("length", 1, 1 << 20) or 128
        pad = given.choice("pad", (START, END), END if self._following else START)
        crop = given.choice("crop", (START, END), END)
        return TextPreparation(units, given.flag("lower", units == WORDS), (), length, pad, crop)

    def _windows(self, items: Sequence[Item], given: Options) -> list[Item]:
        """Of each text its windows, which have one unit more than a record: the last one is only predicted."""
        length = self._prepared.length
        stride = given.whole("stride", 1, 1 << 20) or length
        found: list[Item] = []
        for item in items:
            try:
                tokens = self._texts[item.name] = self._tokens(item.name)
            except DataError as error:
                self.problems = [*self.problems, Problem(item.name, str(error))]
                continue
            if len(tokens) > _MOST_UNITS:
                raise DataError(f"{item.name} has {len(tokens)} units; up to {_MOST_UNITS} are read: divide it")
            divided = parts_in_time.parts_in_time(given, np.arange(len(tokens), dtype=np.float64))
            for start in range(0, max(1, len(tokens) - 1), stride):
                stop = min(start + length, len(tokens) - 1)
                part = divided.part(start, stop) if divided else None
                if stop > start and (divided is None or part is not None):
                    name = f"{item.name}@{start}"
                    self._starts[name] = item.name, start
                    found.append(replace(item, name=name, label=None, part=part, group=item.group or item.name))
        return found

    # --- units --------------------------------------------------------------------------------------------------------

    def _file(self, item: Item) -> str:
        return self._starts[item.name][0] if item.name in self._starts else item.name

    def _units(self, item: Item) -> Sequence[str]:
        if item.name not in self._starts:
            return self._tokens(item.name)
        name, start = self._starts[item.name]
        return self._texts[name][start : start + self._prepared.length + 1]

    def _tokens(self, name: str) -> Sequence[str]:
        text = self._texts.get(name)
        if not isinstance(text, str):
            assert self._files is not None
            text = _decoded(self._files.read(name), name)
        tokens = tokens_of(text, self._prepared.units, lower=self._prepared.lower)
        if not tokens:
            raise DataError("it holds no text")
        return tokens

    def _told(self) -> list[str]:
        prepared = self._prepared
        what = f"a record is {prepared.length} {prepared.units}"
        return [f"{what}, and the one behind each" if self._following else f"{what}; longer texts are cut"]


def is_text(name: str) -> bool:
    """Whether a file is called as a text is, and is not hidden."""
    path = PurePosixPath(name)
    return path.suffix.lower() in _TEXTS and not path.name.startswith(".")


def _first(problems: Sequence[Problem]) -> str | None:
    return f"{problems[0].name}: {problems[0].reason}" if problems else None


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{name} is no text in UTF-8 (byte {error.start})") from None

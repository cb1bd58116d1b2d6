"""Text in columns: how lines are divided, whether the first one is a header, and what each column is."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from brew.data.list_lines import UTF_16
from brew.errors import DataError, Place, UsageError, did_you_mean
from brew.files import regular

from .trees import PICTURES, is_picture

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
# Numbers, also with decimal commas, dates and times.
_VALUE = re.compile(
    r"[+-]?[\d.,]+([eE][+-]?\d+)?|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T]\d.*)?|\d{1,2}:\d{2}(:\d{2}.*)?", re.ASCII
)
_PICTURE = re.compile(
    rf"(?P<name>.*(?:{'|'.join(map(re.escape, sorted(PICTURES)))})[\"']?)(?:[ \t]+(?P<rest>.*))?", re.I
)
_ROLES = {  # by what headers call a column
    "label": ("label", "class", "category", "class_id", "label_id", "classid", "y"),
    "weight": ("weight", "sample_weight"),
    "part": ("part", "split", "subset", "set", "partition"),
    "group": ("group", "subject", "speaker", "patient", "video"),
}
_TITLES = {"id", "image", "file", "filename", "file_name", "path", "image_path", "image_id", "name"}
_LOOKED_AT = 100  # rows
_DELIMITERS = "\t,;"
NAMED = {".csv", ".tsv", ".tab"}  # endings of files that are tables


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table, and its number."""

    line: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a text in columns, and its header, () where it has none."""

    path: Path
    header: tuple[str, ...]
    rows: Sequence[Row]
    width: int  # columns of most rows

    def title(self, column: int) -> str:
        """What a column is called: by the header, else by its number, from 1 on."""
        return self.header[column] if column < len(self.header) else str(column + 1)

    def column(self, said: str) -> int:
        """The column of a name or a number; UsageError."""
        folded = [title.lower() for title in self.header]
        if said.lower() in folded:
            return folded.index(said.lower())
        if said.isdecimal() and 1 <= int(said) <= self.width:
            return int(said) - 1
        known = f"columns: {', '.join(self.header) or f'1 to {self.width}'}"
        raise UsageError(f'{self.path} has no column "{said}"', hint=did_you_mean(said, self.header) or known)


@dataclass(frozen=True, slots=True)
class Columns:
    """What each column of a table is, by its number from 0 on."""

    image: int
    label: int | None
    targets: tuple[int, ...]
    weight: int | None
    part: int | None
    group: int | None
    notes: tuple[str, ...]


def read_table(path: Path, first: int | None = None, header: bool | None = None) -> Table:
    """The table in a text file, or its `first` lines; DataError where it cannot be read or is empty.

    `header`: whether the first line has the titles of the columns; None: by what stands in it, and below.
    """
    try:
        content = regular.read_bytes(path) if first is None else regular.head(path, 1 << 16)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
    if content.startswith(UTF_16):
        raise DataError(f"{path} is UTF-16; UTF-8 is expected", hint="save it as UTF-8")
    text = content.decode("utf-8", "surrogateescape").removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    delimiter = _delimiter([line for line in lines if line.strip()][:_LOOKED_AT], path.suffix.lower() in NAMED)
    rows = _quoted(path, text, delimiter) if delimiter else _blank(lines)
    if delimiter and first is None and rows:
        _check_closed(path, lines, rows[-1], delimiter)
    rows = rows[:first] if first is not None else rows
    if not rows:
        raise DataError(f"{path} holds no line")
    header = _is_header(rows) if header is None else header
    counts = [len(row.cells) for row in rows[: _LOOKED_AT + 1]]
    width = len(rows[0].cells) if header else max(set(counts), key=counts.count)
    return Table(path, tuple(rows[0].cells) if header else (), rows[header:], width)


def _delimiter(lines: Sequence[str], named: bool) -> str | None:
    """What stands between columns, by the first lines; None for blanks.

    In a file that is `named` as a table, lines may be too short, and go on within quotes: the first one tells then.
    """
    for delimiter in _DELIMITERS:
        if lines and all(delimiter in line for line in lines):
            return delimiter
    if not named or not lines:
        return None
    most = max(_DELIMITERS, key=lines[0].count)
    return most if most in lines[0] else None


def _quoted(path: Path, text: str, delimiter: str) -> list[Row]:
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
    rows: list[Row] = []
    begin = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append(Row(begin, [cell.strip() for cell in cells]))
            begin = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"it is no table that can be read: {error}", place=Place(str(path), begin)) from None
    return rows


def _check_closed(path: Path, lines: Sequence[str], last: Row, delimiter: str) -> None:
    """DataError where lines are lost in the last row, behind a quote which is never closed."""
    if not any(line.strip() for line in lines[last.line :]):
        return
    rest = "\n".join(lines[last.line - 1 :])
    try:
        list(csv.reader(io.StringIO(rest), delimiter=delimiter, skipinitialspace=True, strict=True))
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            raise DataError("a quote is opened here and never closed", place=Place(str(path), last.line)) from None


def _blank(lines: Sequence[str]) -> list[Row]:
    """Lines as Caffe's lists have them: blanks within the name belong to it, and quotes around it do not."""
    rows = []
    for number, line in enumerate(lines, 1):
        stripped = line.strip()
        if not stripped:
            continue
        match = _PICTURE.fullmatch(stripped)
        name, rest = (match["name"], match["rest"]) if match else (stripped, None)
        if match is None and re.search(r"[ \t]", stripped):
            name, rest = stripped.rsplit(None, 1)
        if len(name) > 1 and name[0] == name[-1] and name[0] in "\"'":
            name = name[1:-1]
        rows.append(Row(number, [name, *(rest or "").split()]))
    return rows


def _is_header(rows: Sequence[Row]) -> bool:
    """Whether the first row says what the columns are: by usual titles, or as the one without pictures and numbers."""
    first, below = rows[0].cells, rows[1:_LOOKED_AT]
    if any(is_picture(cell) or _VALUE.fullmatch(cell) for cell in first):
        return False
    if any(cell.lower() in _TITLES.union(*_ROLES.values()) for cell in first):
        return True
    return any(is_picture(cell) or _VALUE.fullmatch(cell) for row in below for cell in row.cells)


def roles(table: Table, options: Mapping[str, str]) -> Columns:
    """What each column is: as `options` say, else by the header, else by what stands in it.

    UsageError for a column that there is not; DataError where it is not clear which one names the pictures, or the
    classes.
    """
    said = {
        role: table.column(options[role]) for role in ("image", "label", "weight", "part", "group") if role in options
    }
    image = said.get("image", _image(table))
    titles = {title.lower().strip(): number for number, title in enumerate(table.header)}
    found: dict[str, int | None] = {}
    for role, names in _ROLES.items():
        named = [titles[name] for name in names if name in titles and titles[name] not in (image, *said.values())]
        found[role] = said.get(role, named[0] if named else None)
    used = {image, *(column for column in found.values() if column is not None)}
    rest = [column for column in range(table.width) if column not in used]
    numbers = [column for column in rest if _holds_numbers(table, column)]
    label = found["label"]
    targets: list[int] = []
    if "targets" in options:
        chosen = options["targets"]
        targets = numbers if chosen == "all" else [table.column(name.strip()) for name in chosen.split(",")]
    elif label is None:
        label, targets = _unnamed(table, rest, numbers)
    left = [table.title(column) for column in rest if column not in (label, *targets)]
    notes = (f"columns left out: {', '.join(left)} (--set targets=NAME,... takes them)",) if left else ()
    return Columns(image, label, tuple(targets), found["weight"], found["part"], found["group"], notes)


def _unnamed(table: Table, rest: Sequence[int], numbers: Sequence[int]) -> tuple[int | None, list[int]]:
    """The label and the targets where nothing says which they are: one column of whole numbers or names is a label."""
    if not rest:
        return None, []
    if len(rest) == 1 and (rest[0] not in numbers or _holds_numbers(table, rest[0], whole=True)):
        return rest[0], []
    if numbers:
        return None, list(numbers)
    named = ", ".join(table.title(column) for column in rest)
    raise DataError(
        f"{table.path}: which of the columns {named} is the class?", hint="--set label=NAME (or its number, from 1 on)"
    )


def _image(table: Table) -> int:
    """The first column that names pictures, else the first one."""
    for column in range(table.width):
        if any(is_picture(row.cells[column]) for row in table.rows[:_LOOKED_AT] if len(row.cells) > column):
            return column
    return 0


def _holds_numbers(table: Table, column: int, *, whole: bool = False) -> bool:
    """Whether most cells of a column's first rows are numbers, and, where that is asked, all these are whole."""
    cells = [row.cells[column] for row in table.rows[:_LOOKED_AT] if len(row.cells) > column and row.cells[column]]
    numbers = [float(cell) for cell in cells if _NUMBER.fullmatch(cell)]
    return 2 * len(numbers) > len(cells) and not (whole and any(not number.is_integer() for number in numbers))

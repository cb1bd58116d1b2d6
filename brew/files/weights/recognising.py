"""What a file is by its contents, of all that users work with: for error messages about a wrong one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from brew.errors import BrewError
from brew.files import regular
from brew.files.signatures import is_binary, noun_of
from brew.proto.brew_pb2 import NetParameter, SolverParameter

from .cursor import BYTES, FIXED32, VARINT, Cursor, Malformed
from .stored import mapped

_HEAD = 1 << 16  # bytes looked at
_BROKEN = (OSError, BrewError, Malformed, LookupError, ValueError, TypeError, RuntimeError)  # RuntimeError: h5py's
_LMDB_MAGIC = b"\xde\xc0\xef\xbe"  # at byte 16 of data.mdb
_GLOG = re.compile(r"^[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+ ", re.MULTILINE)
_SCRIPT = re.compile(r"(#!|(import|from|def|class) \w)")
_LISTED = re.compile(r"\S.*\s+-?\d+(\.\d+)?\s*")
_PIECE = re.compile(  # of a prototxt that is looked over, not read: a number is whatever begins like one
    r"""(?: \s++ | \#[^\n]*+ )*+
        (?: (?P<name> [A-Za-z_]\w*+ ) | (?P<mark> [{}<>:] ) | [\[\],;] | [-+.]?\d[\w.+-]*+ | [-+][\w.+-]*+
          | "[^"\\\n]*+(?:\\.[^"\\\n]*+)*+" | '[^'\\\n]*+(?:\\.[^'\\\n]*+)*+' )""",
    re.VERBOSE | re.ASCII | re.DOTALL,
)
_DEEPER = {"{": 1, "<": 1, "}": -1, ">": -1}


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A noun phrase for the file, and the way to use it, where there is one."""

    noun: str
    use: str | None


NET, SOLVER = "a net", "a solver"
WEIGHTS, STATE, BLOB = "a weights file", "a solver state", "a mean, or another blob by itself"
DATA = frozenset({"an LMDB", "a LevelDB", "a file of records in HDF5", "a list of HDF5 files", "a list of images"})
NOT_PROTOTXT = frozenset({"a log", "a script", "a list of images", "a list of HDF5 files", "a label map of SSD's"})
_USES = {
    WEIGHTS: "weights are given with --weights, or in a solver's `weights`",
    STATE: "a training resumes from it with --snapshot; its weights are in the file of weights beside it",
    NET: "a net is given with --model, or named by a solver",
    SOLVER: "a solver is given with --solver",
    BLOB: "transform_param { mean_file } names a mean",
    "an LMDB": "data_param { source } names its folder",
    "a LevelDB": "data_param { source } names its folder",
    "the file of an LMDB": "its folder is given, in data_param { source }",
    "a file of records in HDF5": "hdf5_data_param { source } names a list, a text with such files, one a line",
    "a list of HDF5 files": "hdf5_data_param { source } names it",
    "a list of images": "image_data_param { source } names it",
    "a text file in UTF-16": "save it as UTF-8",
    "a text file in UTF-32": "save it as UTF-8",
    "a Git LFS pointer": "`git lfs pull` fetches the file itself",
}


def recognise(path: str | Path) -> KnownFile | None:
    """What the file or folder at `path` is; None where it is missing, cannot be read or is unknown."""
    try:
        noun = _folder(Path(path)) if Path(path).is_dir() else _file(Path(path))
    except _BROKEN:  # another error must not hide the one of the message
        return None
    return KnownFile(noun, _USES.get(noun)) if noun else None


def _folder(path: Path) -> str:
    if (path / "data.mdb").is_file():
        return "an LMDB"
    return "a LevelDB" if (path / "CURRENT").is_file() else "a folder"


def _file(path: Path) -> str | None:
    if not path.is_file():
        return None
    head = regular.head(path, _HEAD)
    noun = noun_of(head[:512])
    if noun == "an HDF5 file":
        return _hdf5(path)
    if noun not in (None, "a text file"):
        return noun
    if noun == "a text file":
        return _text(head)
    if not is_binary(head):  # in no encoding that is known: comments in another, or no text at all
        noun = _text(head)
        return None if noun == "a text file" else noun
    if head[16:20] == _LMDB_MAGIC:
        return "the file of an LMDB"
    if head[8:9] == b"{" and b"data_offsets" in head:
        return WEIGHTS  # safetensors
    return _message(path)


def _hdf5(path: Path) -> str:
    import h5py

    try:
        file = h5py.File(path, "r")
    except OSError:
        return "an HDF5 file"
    with file:  # links may lead to other files: they are not followed
        held = {name: file[name] for name in file if isinstance(file.get(name, getlink=True), h5py.HardLink)}
        if "iter" in held and "history" in held:
            return STATE
        if isinstance(held.get("data"), h5py.Group):
            return WEIGHTS
        return (
            "a file of records in HDF5" if any(isinstance(x, h5py.Dataset) for x in held.values()) else "an HDF5 file"
        )


def _message(path: Path) -> str | None:
    """What a binary protobuf message is, by the numbers and wire types of its fields."""
    buffer = mapped(path, "")
    cursor, found = Cursor(buffer, 0, len(buffer)), set[tuple[int, int]]()
    while cursor.step():
        found.add((cursor.number, cursor.wire))
    if (1, VARINT) in found and not found.isdisjoint({(2, BYTES), (3, BYTES)}):
        return STATE
    if (100, BYTES) in found or ((2, BYTES) in found and (5, FIXED32) not in found):  # that is a solver's base_lr
        return WEIGHTS
    shape, values = {(7, BYTES), *((n, VARINT) for n in (1, 2, 3, 4))}, {(n, w) for n in (5, 8) for w in range(6)}
    known = shape | {(n, w) for n in (5, 6, 8, 9, 10, 11, 12, 13) for w in range(6)}
    return BLOB if found <= known and found & shape and found & values else None


# --- text -----------------------------------------------------------------------------------------------------------


def top_names(text: str) -> Iterator[str]:
    """The names of the fields at the top of a prototxt, up to the first token that is no prototxt."""
    at = depth = 0
    before = ""
    while (piece := _PIECE.match(text, at)) is not None:
        if piece["name"] and depth == 0 and before != ":":
            yield piece["name"]
        at, before = piece.end(), piece["mark"]
        depth += _DEEPER.get(before, 0)


def are_a_solvers(names: Iterable[str]) -> bool:
    """Whether most of the fields with these names are a solver's and not a net's."""
    net, solver = _known_names()
    return sum((name in solver) - (name in net) for name in names) > 0


def _text(head: bytes) -> str | None:
    start = head.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    if _GLOG.search(start) or start.startswith("Log file created at"):
        return "a log"
    names = list(top_names(start))
    if any(name in known for known in _known_names() for name in names):
        return SOLVER if are_a_solvers(names) else NET
    if set(names) == {"item"}:
        return "a label map of SSD's"
    if _SCRIPT.match(start):
        return "a script"
    first = start.partition("\n")[0].strip()
    if first.lower().endswith((".h5", ".hdf5")):
        return "a list of HDF5 files"
    return "a list of images" if _LISTED.fullmatch(first) else "a text file"


def _known_names() -> tuple[frozenset[str], frozenset[str]]:
    """The fields of a net, and of a solver."""
    return frozenset(NetParameter.DESCRIPTOR.fields_by_name), frozenset(SolverParameter.DESCRIPTOR.fields_by_name)

"""Python 2's builtins, where they were others."""

from __future__ import annotations

import builtins
import importlib
import io
import itertools
from collections.abc import Callable, Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from functools import cmp_to_key, reduce
from pathlib import Path
from types import ModuleType
from typing import Any

STRINGS = (str, bytes)
NONE = type(None)
_SNIFFED = 1 << 16  # bytes of a file that are looked at


class _AnyString(type):
    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, STRINGS)

    def __subclasscheck__(cls, other: type) -> bool:
        return issubclass(other, STRINGS)


class basestring(metaclass=_AnyString):
    """What text and bytes are instances of."""


class TextFile(io.TextIOWrapper):
    """A file of text that takes bytes too: Python 2's strings were bytes, and files knew no others."""

    def write(self, text: str | bytes) -> int:
        """Write text, or bytes as they are."""
        return super().write(text.decode("utf-8", "surrogateescape") if isinstance(text, bytes) else text)


class BytesFile(io.BufferedWriter):
    """A file of bytes that takes text too."""

    def write(self, data: Any) -> int:
        """Write bytes, or text as UTF-8."""
        return super().write(data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data)


def nothing(*_: object) -> None:
    """Does nothing."""


def open_(name: Any, mode: str = "r", *rest: Any, **options: Any) -> Any:
    """Text where the file is UTF-8, else bytes: what Python 2 read were bytes, and `open(picture)` was usual."""
    if mode in ("wb", "ab") and not (rest or options):
        return BytesFile(io.FileIO(name, mode[0]))
    if "b" in mode or rest[1:] or options:
        return builtins.open(name, mode, *rest, **options)  # noqa: PTH123
    universal, mode = "U" in mode, mode.replace("U", "").replace("t", "") or "r"
    text = "r" not in mode or _is_text(name)
    raw: Any = builtins.open(name, f"{mode}b")  # noqa: PTH123, SIM115
    return TextFile(raw, "utf-8", "surrogateescape", None if universal else "\n") if text else raw


def _is_text(name: Any) -> bool:
    if not Path(name).is_file():
        return True  # opening it will say so, or it is a stream, of which nothing is to be lost
    try:
        with builtins.open(name, "rb") as file:  # noqa: PTH123
            start = file.read(_SNIFFED)
    except OSError:
        return True
    if b"\0" in start:
        return False
    try:
        start.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(start) - 4 and len(start) == _SNIFFED  # a character that the end cuts
    return True


def range_(*bounds: int) -> list[int]:
    return list(range(*bounds))


def map_(function: Callable[..., Any] | None, *values: Iterable[Any]) -> list[Any]:
    """A list; as long as the longest of `values`, and of tuples where there is no function."""
    if len(values) == 1:
        return list(values[0]) if function is None else [function(value) for value in values[0]]
    rows = itertools.zip_longest(*values)
    return list(rows) if function is None else [function(*row) for row in rows]


def filter_(function: Callable[[Any], object] | None, values: Iterable[Any]) -> Any:
    """Of the type of `values` where that is text or a tuple, else a list."""
    found = list(filter(function, values))
    if isinstance(values, str):
        return "".join(found)
    return tuple(found) if isinstance(values, tuple) else found


def zip_(*values: Iterable[Any]) -> list[tuple[Any, ...]]:
    return list(zip(*values, strict=False))


def cmp(a: Any, b: Any) -> int:
    return int(a > b) - int(a < b)


def sorted_(
    values: Iterable[Any], cmp: Callable[[Any, Any], int] | None = None, key: Callable[[Any], Any] | None = None,
    reverse: bool = False,
) -> list[Any]:  # fmt: skip
    return sorted(values, key=sort_key(cmp, key), reverse=reverse)


def sort_key(
    compare: Callable[[Any, Any], int] | None, key: Callable[[Any], Any] | None
) -> Callable[[Any], Any] | None:  # fmt: skip
    """One key for a comparison and a key."""
    if compare is None:
        return key
    by = cmp_to_key(compare)
    return by if key is None else lambda value: by(key(value))


def round_(number: float, digits: int = 0) -> float:
    """A float; halves go away from zero."""
    exact = Decimal(float(number)) if abs(float(number)) < 1e300 else None
    if exact is None or not exact.is_finite():
        return float(number)
    return float(exact.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))


def join(words: Sequence[str], between: str = " ") -> str:
    return between.join(words)


def reload(module: ModuleType) -> ModuleType:
    """As it was; of sys, which scripts reload for setdefaultencoding, nothing changes."""
    return module if module.__name__ in ("sys", "builtins") else importlib.reload(module)


def apply(function: Callable[..., Any], arguments: Sequence[Any] = (), options: Any = None) -> Any:
    return function(*arguments, **(options or {}))


def input_(prompt: str = "") -> Any:
    return eval(input(prompt))


BUILTINS: dict[str, Any] = {
    "apply": apply, "basestring": basestring, "buffer": memoryview, "cmp": cmp, "file": open_,
    "filter": filter_, "input": input_, "intern": str, "long": int, "map": map_, "open": open_, "range": range_,
    "raw_input": input, "reduce": reduce, "reload": reload, "round": round_, "sorted": sorted_, "unichr": chr,
    "unicode": str, "xrange": range, "zip": zip_,
}  # fmt: skip

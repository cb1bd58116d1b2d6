"""What translated programs call, as `__py2__`."""

from __future__ import annotations

import builtins
import codecs
import functools
import importlib
import operator
import string
import sys
from collections.abc import Callable, ItemsView, KeysView, ValuesView
from types import CodeType, TracebackType
from typing import Any, TypeVar

import numpy as np

from .compiling import code_of, compiled
from .gone import gone as gone
from .gone import module as module
from .old_builtins import BUILTINS, sort_key

_WHOLE = (int, np.integer, np.bool_)  # bool is an int
_OLD_CODECS = frozenset(
    ("base64", "bz2", "hex", "hex_codec", "rot13", "rot_13", "string_escape", "string-escape", "zlib")
)
_NO_FORMATS: Any = object.__format__
T = TypeVar("T")


def python2() -> dict[str, Any]:
    """The builtins of a translated module."""
    return {**vars(builtins), **BUILTINS, "__py2__": sys.modules[__name__]}


# --- division ------------------------------------------------------------------------------------------------------


def divide(a: Any, b: Any) -> Any:
    """Python 2's a / b: rounded down where both are whole numbers, or arrays of such."""
    return a // b if _whole(a) and _whole(b) else a / b


def _whole(value: object) -> bool:
    return isinstance(value, _WHOLE) or (isinstance(value, np.ndarray) and value.dtype.kind in "biu")


class Divisor:
    """The right side of `a /= b`."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __rtruediv__(self, left: Any) -> Any:
        return divide(left, self.value)

    def __array_ufunc__(self, ufunc: Any, method: str, left: Any, right: Any, out: Any = None) -> Any:
        """What arrays and numbers of NumPy call; `out` is the array, where it is one."""
        if out is None:
            return divide(left, self.value)
        how = np.floor_divide if _whole(left) and _whole(self.value) else np.true_divide
        return how(left, self.value, out=out)


def scalar(value: Any) -> Any:
    """What int(value) or float(value) is given: of an array of one element, which was taken for a number, that one."""
    return value.item() if isinstance(value, np.ndarray) and value.ndim and value.size == 1 else value


def numbers(values: Any) -> Any:
    """The right side of `format % values`, where the format has numbers only."""
    return tuple(map(scalar, values)) if type(values) is tuple else scalar(values)


def put(on: Any, index: Any, value: Any) -> None:
    """`on[index] = value`: an array took, at an array of indices, more values than these, or fewer over and over."""
    try:
        on[index] = value
    except ValueError:
        if not (_flat(on) and _flat(index) and index.dtype.kind in "iu" and _flat(value)):
            raise
        np.put(on, index, value)


def _flat(value: object) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == 1


def bound(value: Any) -> Any:
    """An end of a slice: arrays took floats."""
    return int(value) if isinstance(value, float | np.floating) else value


# --- print and exec ------------------------------------------------------------------------------------------------

_between: dict[int, bool] = {}  # by the file: whether a space is due before the next item


def say(ends: bool, file: Any, *items: Any) -> None:
    """The print statement; with `ends` the line does."""
    file = sys.stdout if file is None else file
    for item in items:
        line = item.decode("utf-8", "replace") if isinstance(item, bytes | bytearray) else text(item)
        file.write(f" {line}" if _between.get(id(file)) else line)
        _between[id(file)] = line[-1:] not in ("\n", "\t", "\r")
    if ends:
        file.write("\n")
        _between.pop(id(file), None)


def to_run(given: Any) -> tuple[Any, ...]:
    """The arguments of exec, from `exec code` or `exec (code, globals, locals)`."""
    program, *spaces = given if isinstance(given, tuple) else (given,)
    return (_compiled(program, "exec"), *spaces)


def in_file(path: str) -> CodeType:
    """What execfile runs."""
    return code_of(path)[0]


def expression(program: Any) -> Any:
    """What eval is given."""
    return _compiled(program.strip(), "eval") if isinstance(program, str) else program


def _compiled(program: Any, mode: str) -> str | CodeType:
    if hasattr(program, "read"):
        program = program.read()
    if not isinstance(program, str):
        found: CodeType = program
        return found
    return compiled(program, mode=mode)


def text(value: Any) -> Any:
    """`str(value)`: bytes were strings, and stay; floats have twelve digits."""
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    if type(value) not in (float, np.float64):
        return str(value)
    digits = f"{value:.12g}"
    return f"{digits}.0" if digits.lstrip("-").isdigit() else digits


class _Formatter(string.Formatter):
    def format_field(self, value: Any, format_spec: str) -> Any:
        """A class without formats of its own (a tuple's, None's) has those of its text."""
        if isinstance(value, bytes):
            return format(value.decode("utf-8", "replace"), format_spec)
        as_text = type(value).__format__ is _NO_FORMATS or (isinstance(value, float) and not format_spec)
        return format(text(value) if as_text else value, format_spec)


def format_(on: Any, *arguments: Any, **options: Any) -> Any:
    """`on.format(...)`."""
    if not isinstance(on, str):
        return on.format(*arguments, **options)
    return _Formatter().vformat(on, arguments, options)


# --- errors --------------------------------------------------------------------------------------------------------


def raised(kind: Any, value: Any = None, trace: TracebackType | None = None) -> BaseException:
    """The exception of `raise kind, value, trace`."""
    if not isinstance(kind, type):
        made = kind
    elif isinstance(value, kind):
        made = value
    else:
        made = kind() if value is None else kind(*value) if isinstance(value, tuple) else kind(value)
    if trace is not None:
        made.__traceback__ = trace
    found: BaseException = made
    return found


def message(error: Any) -> Any:
    """`error.message`."""
    if hasattr(error, "message"):
        return error.message
    return error.args[0] if len(getattr(error, "args", ())) == 1 else ""


# --- methods --------------------------------------------------------------------------------------------------------


def listed(found: Any) -> Any:
    """What keys(), values() or items() gave; a list where it is a view."""
    return list(found) if isinstance(found, KeysView | ValuesView | ItemsView) else found


def lazy(on: Any, old: str, new: str) -> Any:
    """`on.iteritems()`, or items() where that is gone."""
    own = getattr(on, old, None)
    if own is not None:
        return own()
    views = getattr(on, new)()
    return iter(views) if old.startswith("iter") else views


def has_key(on: Any, key: Any) -> bool:
    own = getattr(on, "has_key", None)
    return key in on if own is None else bool(own(key))


def advance(on: Any) -> Any:
    """`on.next()`."""
    own = getattr(on, "next", None)
    return next(on) if own is None else own()


def sort(on: Any, *arguments: Any, **options: Any) -> Any:
    """`on.sort(cmp, key, reverse)` of a list; whatever others have."""
    if not isinstance(on, list):
        return on.sort(*arguments, **options)
    given = dict(zip(("cmp", "key", "reverse"), arguments, strict=False)) | options
    on.sort(key=sort_key(given.get("cmp"), given.get("key")), reverse=bool(given.get("reverse", False)))
    return None


def decode(on: Any, *arguments: Any, **options: Any) -> Any:
    """`on.decode(...)`: text stays as it is, but for codecs that were no encodings."""
    if not isinstance(on, str):
        return on.decode(*arguments, **options)
    if arguments and arguments[0] in _OLD_CODECS:
        return _recoded(codecs.decode, on, arguments[0])
    return on


def encode(on: Any, *arguments: Any, **options: Any) -> Any:
    """`on.encode(...)`."""
    if arguments and arguments[0] in _OLD_CODECS and isinstance(on, str | bytes):
        return _recoded(codecs.encode, on, arguments[0])
    return on.encode(*arguments, **options)


def _recoded(how: Callable[[Any, str], Any], on: str | bytes, codec: str) -> str:
    codec = {"string_escape": "unicode_escape", "string-escape": "unicode_escape", "hex": "hex_codec"}.get(codec, codec)
    data: Any = on
    if codec == "unicode_escape":
        data = on if how is codecs.encode else bytes(on, "latin-1") if isinstance(on, str) else on
    elif not codec.startswith("rot"):
        data = on.encode("latin-1") if isinstance(on, str) else on
    found = how(data, codec)
    return found.decode("latin-1") if isinstance(found, bytes) else str(found)


def to_string(on: Any, *arguments: Any, **options: Any) -> Any:
    """`array.tostring()`, which is `tobytes` now."""
    own = on.tobytes if isinstance(on, np.ndarray | np.generic) else on.tostring
    return own(*arguments, **options)


def compared(cls: type[T]) -> type[T]:
    """A class with the comparisons that its `__cmp__` makes."""
    for name in ("lt", "le", "eq", "ne", "gt", "ge"):
        if f"__{name}__" not in vars(cls):
            setattr(cls, f"__{name}__", _comparison(getattr(operator, name)))
    if vars(cls).get("__hash__") is None:
        cls.__hash__ = object.__hash__  # type: ignore[method-assign]
    return cls


def _comparison(how: Callable[[int, int], bool]) -> Callable[[Any, Any], bool]:
    return lambda self, other: how(self.__cmp__(other), 0)


# --- modules --------------------------------------------------------------------------------------------------------


def load(package: str, name: str) -> None:
    """Import a module that stands beside the one that asks."""
    importlib.import_module(f".{name}", package)


@functools.cache
def there(name: str) -> Any:
    """A module, or what raises its ImportError when it is looked into."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        return _Absent(error)


class _Absent:
    def __init__(self, error: ImportError) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Any:
        raise self._error

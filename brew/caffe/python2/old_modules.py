"""Modules that Python 2 had, in the parts that scripts use."""

from __future__ import annotations

import csv
import importlib
import io
import pickle
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import weakref
from collections.abc import Callable, Iterator
from typing import Any


class Pickles:
    """`pickle` and `cPickle`: strings of Python 2 are read byte by byte, files may be open for text."""

    HIGHEST_PROTOCOL = pickle.HIGHEST_PROTOCOL
    Pickler, Unpickler = pickle.Pickler, pickle.Unpickler
    PickleError, PicklingError, UnpicklingError = pickle.PickleError, pickle.PicklingError, pickle.UnpicklingError

    @staticmethod
    def load(file: Any, **options: Any) -> Any:
        return pickle.load(getattr(file, "buffer", file), **{"encoding": "latin1", **options})

    @staticmethod
    def loads(data: str | bytes, **options: Any) -> Any:
        raw = data.encode("latin-1") if isinstance(data, str) else data
        return pickle.loads(raw, **{"encoding": "latin1", **options})

    @staticmethod
    def dump(value: Any, file: Any, protocol: int = 0) -> None:
        if hasattr(file, "buffer"):
            file.flush()
        pickle.dump(value, getattr(file, "buffer", file), protocol)

    @staticmethod
    def dumps(value: Any, protocol: int = 0) -> bytes:
        return pickle.dumps(value, protocol)


class StringIO(io.BytesIO):
    """Holds text or bytes, whichever is written, and gives the same back."""

    def __init__(self, start: str | bytes = "") -> None:
        self._text = isinstance(start, str)
        super().__init__(start.encode() if isinstance(start, str) else start)

    def write(self, piece: Any) -> int:
        self._text = self._text and isinstance(piece, str)
        return super().write(piece.encode() if isinstance(piece, str) else piece)

    def _given(self, found: bytes) -> Any:
        return found.decode() if self._text else found

    def getvalue(self) -> Any:
        return self._given(super().getvalue())

    def read(self, size: int | None = -1, /) -> Any:
        return self._given(super().read(size))

    def readline(self, size: int | None = -1, /) -> Any:
        return self._given(super().readline(size))

    def readlines(self, size: int | None = None, /) -> Any:
        return [self._given(line) for line in super().readlines(size)]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.readlines())


class StringIOs:
    """`StringIO` and `cStringIO`."""

    StringIO = StringIO


class Sets:
    """`sets`."""

    Set, ImmutableSet = set, frozenset


class _Urls(type):
    def __getattr__(cls, name: str) -> Any:
        for module in (urllib.request, urllib.parse, urllib.error):
            if hasattr(module, name):
                return getattr(module, name)
        raise AttributeError(f"urllib of Python 3 has no {name}")


class Urls(metaclass=_Urls):
    """`urllib` and `urllib2`: what is in urllib.request, urllib.parse and urllib.error now."""

    @staticmethod
    def urlopen(url: Any, data: Any = None, **options: Any) -> Any:
        raw = data.encode() if isinstance(data, str) else data
        return urllib.request.urlopen(url, raw, **options)


def yaml_load(stream: Any, Loader: Any = None) -> Any:
    """`yaml.load(stream)`, which had no need of a Loader: as yaml.full_load, which makes no objects of Python."""
    yaml = importlib.import_module("yaml")
    return yaml.load(stream, Loader=Loader or yaml.FullLoader)


def _taking_text(made: Callable[..., Any]) -> Callable[..., Any]:
    """A file that is open for bytes takes text too, as UTF-8."""

    def make(*arguments: Any, **options: Any) -> Any:
        file = made(*arguments, **options)
        if "b" in file.mode:
            inner = getattr(file, "file", file)
            file.write = _Write(weakref.ref(inner), type(inner).write)
        return file

    return make


class _Write:
    """The `write` of a file, which it does not keep: a file that a script forgets is closed at once."""

    def __init__(self, file: Callable[[], Any], write: Callable[[Any, bytes], int]) -> None:
        self._file, self._write = file, write

    def __call__(self, data: Any) -> int:
        raw = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        return self._write(self._file(), raw)


NamedTemporaryFile = _taking_text(tempfile.NamedTemporaryFile)
SpooledTemporaryFile = _taking_text(tempfile.SpooledTemporaryFile)
TemporaryFile = _taking_text(tempfile.TemporaryFile)


def csv_reader(lines: Any, *arguments: Any, **options: Any) -> Any:
    """`csv.reader`, which read files that are open for bytes."""
    text = io.TextIOWrapper(lines, "utf-8", newline="") if isinstance(lines, io.BufferedReader) else lines
    return csv.reader(text, *arguments, **options)


def check_output(*arguments: Any, **options: Any) -> Any:
    """`subprocess.check_output`, whose bytes were text."""
    found = subprocess.check_output(*arguments, **options)
    try:
        return found.decode() if isinstance(found, bytes) else found
    except UnicodeDecodeError:
        return found

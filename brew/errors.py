"""Every error Brew raises for something a user can mend.

    BrewError                 exit 1
    ├── UsageError            exit 2    options that do not go together
    ├── InputError            exit 3    a file that cannot be used as it is
    │   ├── PrototxtError               text that does not parse, unknown fields and values
    │   ├── NetError                    a net that cannot be built: names, arity, shapes
    │   ├── SolverError                 a solver that cannot run as configured
    │   ├── WeightsError                .caffemodel, .solverstate, mean files
    │   └── DataError                   LMDB, LevelDB, HDF5, records and images in them
    ├── DivergedError         exit 4    loss or weights no longer finite
    ├── DeviceError           exit 6    no usable GPU, a missing extra
    └── ResourceError         exit 7    out of memory, disk full, a folder that cannot be written

The library raises; only the command line prints and exits. A message has four parts: where (`place`, and the
layer's name in the text), what is wrong, what was expected, what came.

What a user's own code raises (a Python layer) goes to the caller as it is, with a note that says where: `blame`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a text file; line and column count from 1, and 0 means "somewhere in the file"."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        parts = [self.file, *(str(n) for n in (self.line, self.column) if n)]
        return ":".join(parts)


class BrewError(RuntimeError):
    """An error with a stable code, a place and a hint. `str()` gives one paragraph with all of them.

    It is a RuntimeError because pycaffe's errors are, and scripts catch them as that. The message is printed in one
    line; a class whose messages have several says so by `lines`, and no name in them has a line break.
    """

    code: ClassVar[str] = "B000"
    lines: ClassVar[bool] = False
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, place: Place | None = None, hint: str | None = None) -> None:
        super().__init__(message, place, hint)
        self.message = message
        self.place = place
        self.hint = hint

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{where}{self.message}{hint}"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message, self.place, self.hint)

    def with_place(self, place: Place | None) -> BrewError:
        """This error, placed at `place` unless it already knows a better one."""
        self.place = self.place or place
        return self


def _rebuild(cls: type[BrewError], message: str, place: Place | None, hint: str | None) -> BrewError:
    return cls(message, place=place, hint=hint)


class UsageError(BrewError):
    code, exit_code = "B020", 2


class InputError(BrewError):
    code, exit_code = "B100", 3


class PrototxtError(InputError):
    code = "B110"


class NetError(InputError):
    code = "B120"


class SolverError(InputError):
    code = "B130"


class WeightsError(InputError):
    code = "B140"


class DataError(InputError):
    code = "B150"


class DivergedError(BrewError):
    code, exit_code = "B400", 4


class DeviceError(BrewError):
    code, exit_code = "B600", 6


class ResourceError(BrewError):
    code, exit_code = "B700", 7


class _Note(str):
    """A note on another exception: the text of the BrewError `told`."""

    told: BrewError


def blame(error: Exception, told: BrewError) -> None:
    """Add a note to an error of a user's own code: `told`, which says in Brew's words where it happened."""
    note = _Note(told)
    note.told = told
    error.add_note(note)


def blamed(error: BaseException) -> BrewError | None:
    """What `blame` has told of an error; None for one of Brew's own, or of elsewhere."""
    return next((note.told for note in getattr(error, "__notes__", ()) if isinstance(note, _Note)), None)


@contextmanager
def in_brews_words() -> Iterator[None]:
    """A context in which an error of a user's own code is raised as the BrewError that tells of it."""
    try:
        yield
    except Exception as error:
        told = blamed(error)
        if told is None:
            raise
        raise told from error


def did_you_mean(name: str, known: Iterable[str], most: int = 1) -> str | None:
    """A hint that names the nearest of `known`, `most` of them, ignoring case, or None when nothing is near.

    >>> did_you_mean("Relu", ["ReLU", "PReLU"])
    'did you mean "ReLU"?'
    >>> did_you_mean("Relus", ["ReLU", "PReLU"], most=3)
    'did you mean "ReLU" or "PReLU"?'
    """
    by_folded = {k.lower(): k for k in known}
    found = difflib.get_close_matches(name.lower(), by_folded, n=most, cutoff=0.6)
    near = [f'"{by_folded[k]}"' for k in found if found[0] != name.lower() or k == found[0]]
    if not near:
        return None
    return f"did you mean {', '.join(near[:-1])} or {near[-1]}?" if near[1:] else f"did you mean {near[0]}?"

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
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
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


class BrewError(Exception):
    """An error with a stable code, a place and a hint. `str()` gives one paragraph with all of them.

    The message is printed in one line; a class whose messages have several says so by `lines`, and no name in them
    has a line break.
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

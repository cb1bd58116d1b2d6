"""What the user reads when something goes wrong: one block, never a traceback, and the exit code that goes with it."""

from __future__ import annotations

import errno
import os
import re
import sys
import tempfile
import traceback
from pathlib import Path

import click

from brew.errors import BrewError, InputError, Place, ResourceError, UsageError

INTERNAL_BUG = 70
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}
_WORD = re.compile(r"[\w.+-]+|\"[^\"]*\"?|'[^']*'?|\S")
_HINT_BESIDE_CARET = 60


def as_brew_error(error: BaseException) -> BrewError | None:
    """The user's view of an exception, or None for one that only a bug in Brew explains."""
    if isinstance(error, BrewError):
        return error
    if isinstance(error, click.ClickException):
        return _usage_error(error)
    if isinstance(error, MemoryError):
        said = f": {error}" if str(error) else ""
        return ResourceError(f"out of memory{said}", hint="a smaller batch_size needs less")
    if isinstance(error, OSError) and error.filename is not None:
        kind = ResourceError if error.errno in _FULL else InputError
        return kind(f"{error.strerror or error}: {error.filename}")
    if isinstance(error, OSError) and error.errno in _FULL:
        return ResourceError(error.strerror or str(error))
    return None


def block(error: BrewError, *, colour: bool = False) -> str:
    """The error as a block: code and message, place, the line of the file with a caret, and the hint.

    >>> print(block(UsageError("two models", hint="give one")))
    error[B020]: two models
      = give one
    """

    def style(text: str, name: str) -> str:
        return click.style(text, fg=name, bold=True) if colour else text

    lines = [f"{style(f'error[{error.code}]', 'red')}: {error.message}"]
    hint = error.hint
    if error.place is not None:
        lines.append(f"  --> {error.place}")
        excerpt = error.place.excerpt()
        if excerpt is not None:
            beside = hint if hint and len(hint) <= _HINT_BESIDE_CARET and error.place.column else None
            lines += _excerpt(excerpt, error.place, style(beside, "yellow") if beside else "")
            hint = None if beside else hint
    if hint:
        lines.append(f"  = {style(hint, 'yellow')}")
    return "\n".join(lines)


def save_traceback(error: BaseException) -> Path | None:
    """Write the traceback of an internal error to a new file of the temporary folder; None where that fails."""
    text = f"brew {' '.join(sys.argv[1:])}\n{os.uname() if hasattr(os, 'uname') else os.name}\n"
    text += f"Python {sys.version}\n\n" + "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="brew-traceback-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.write(text)
    except OSError:
        return None
    return Path(file.name)


def _usage_error(error: click.ClickException) -> BrewError:
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context is not None else "brew"
    return UsageError(error.format_message(), hint=f'"{path} --help" lists the options')


def _excerpt(line: str, place: Place, hint: str) -> list[str]:
    """The numbered line and, where the column is known, a caret under its word. Tabs keep their width."""
    number = f"{place.line:>5} | "
    shown = [f"{number}{line}"]
    if 0 < place.column <= len(line) + 1:
        start = place.column - 1
        word = _WORD.match(line, start)
        pad = "".join("\t" if c == "\t" else " " for c in line[:start])
        carets = "^" * (len(word[0]) if word else 1)
        shown.append(f"{'':>5} | {pad}{carets} {hint}".rstrip())
    return shown

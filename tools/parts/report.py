"""Errors as the user sees them: one block, never a traceback, and an exit code."""

from __future__ import annotations

import errno
import os
import re
import sys
from pathlib import Path

import click

from brew.errors import BrewError, InputError, Place, ResourceError, UsageError, blamed
from brew.plain_text import one_line, plain

INTERNAL_BUG = 70
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}
_WORD = re.compile(r"[\w.+-]+|\"[^\"]*\"?|'[^']*'?|\S")
_HINT_BESIDE_CARET = 60
_LONGEST_LINE, _BEFORE = 160, 80  # characters of a file's line that are shown, and of them before the column
_LONGEST = 8000  # characters of a message


def as_brew_error(error: BaseException) -> BrewError | None:
    """The user's view of an exception, or None for one that only a bug in Brew explains."""
    if isinstance(error, BrewError):
        return error
    if (told := blamed(error)) is not None:
        return told
    if isinstance(error, click.ClickException):
        return _usage_error(error)
    if isinstance(error, MemoryError):
        said = f": {error}" if str(error) else ""
        return ResourceError(f"out of memory{said}", hint="a smaller batch_size needs less")
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return ResourceError(str(error), hint="ulimit -a and the cgroup show limits of memory and threads")
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

    message = (plain if error.lines else one_line)(_shortened(error.message))
    lines = [f"{style(f'error[{error.code}]', 'red')}: {message}"]
    hint = error.hint and one_line(_shortened(error.hint))
    if error.place is not None:
        lines.append(f"  --> {one_line(str(error.place))}")
        line = _line_at(error.place)
        if line is not None:
            beside = hint if hint and len(hint) <= _HINT_BESIDE_CARET and error.place.column else None
            lines += _excerpt(line, error.place, style(beside, "yellow") if beside else "")
            hint = None if beside else hint
    if hint:
        lines.append(f"  = {style(hint, 'yellow')}")
    return "\n".join(lines)


def _shortened(text: str) -> str:
    """`text` without its middle where it is too long to read: a file may have a name of megabytes in it."""
    if len(text) <= _LONGEST:
        return text
    half = _LONGEST // 2
    return f"{text[:half]} [... {len(text) - 2 * half} more characters ...] {text[-half:]}"


def save_traceback(error: BaseException) -> Path | None:
    """Write the traceback of an internal error to a new file of the temporary folder; None where that fails."""
    try:
        import tempfile
        import traceback

        text = f"brew {' '.join(sys.argv[1:])}\n{os.uname() if hasattr(os, 'uname') else os.name}\n"
        text += f"Python {sys.version}\n\n" + "".join(traceback.format_exception(error))
        with tempfile.NamedTemporaryFile(
            "w", prefix="brew-traceback-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.write(text)
    except (ImportError, OSError, MemoryError, UnicodeError):
        return None
    return Path(file.name)


def _usage_error(error: click.ClickException) -> BrewError:
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context is not None else "brew"
    message = re.sub(r"\n\t?", " ", error.format_message())  # click lists choices in lines
    return UsageError(message, hint=f'"{path} --help" lists the options')


def _line_at(place: Place) -> str | None:
    """The line of text that `place` points at, or None when the file or the line is not there."""
    if not place.line:
        return None
    from brew.files import regular

    try:
        lines = regular.read_text(place.file, errors="replace").splitlines()
    except (OSError, MemoryError):
        return None
    return lines[place.line - 1] if place.line <= len(lines) else None


def _excerpt(line: str, place: Place, hint: str) -> list[str]:
    """The numbered line and, where the column is known, a caret under its word. Tabs keep their width.

    Of a long line, the part around the column.
    """
    number = f"{place.line:>5} | "
    cut = max(place.column - 1 - _BEFORE, 0) if len(line) > _LONGEST_LINE else 0
    piece = line[cut : cut + _LONGEST_LINE]
    dots = "..." * (cut > 0), "..." * (cut + len(piece) < len(line))
    shown = [f"{number}{dots[0]}{plain(piece)}{dots[1]}"]
    if 0 < place.column <= len(line) + 1:
        start = place.column - 1 - cut
        word = _WORD.match(piece, start)
        before = plain(piece[:start])
        pad = " " * len(dots[0]) + "".join("\t" if c == "\t" else " " for c in before)
        carets = "^" * (len(plain(word[0])) if word else 1)
        shown.append(f"{'':>5} | {pad}{carets} {hint}".rstrip())
    return shown

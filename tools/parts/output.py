"""Printing without harm: names and paths come from untrusted files, and a terminal obeys control characters.

Everything that a command writes to stdout or stderr passes through `brew.plain_text`: results by `echo`, log lines by
the formatters of `log`, errors by `report`. Colours are put around it afterwards.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TextIO

import click

from brew.plain_text import one_line, plain


def fitting(text: str, stream: TextIO) -> str:
    """`text` with letters that the stream's encoding lacks written out."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def echo(text: object = "", *, err: bool = False, nl: bool = True, styled: bool = False, lines: bool = False) -> None:
    """Print `text` in one line, and a newline. With `lines` it may be several: no name in it has a line break.

    Of `styled` text control characters are written out already, and colours are in it.
    """
    stream = sys.stderr if err else sys.stdout
    safe = str(text) if styled else (plain if lines else one_line)(str(text))
    click.echo(fitting(safe, stream), err=err, nl=nl, color=styled or None)


def silence(*streams: TextIO) -> None:
    """Point streams at nothing, so that flushing them at exit cannot fail again."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        with contextlib.suppress(OSError, ValueError):
            os.dup2(nothing, stream.fileno())
    os.close(nothing)


class Stdout:
    """Stdout as a sink of bytes (brew.files.appended.Sink): a reader that goes is no reason to stop what writes."""

    def write(self, piece: bytes) -> None:
        try:
            sys.stdout.write(plain(piece.decode()))
            sys.stdout.flush()
        except OSError:
            silence(sys.stdout)

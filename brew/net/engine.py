"""The engine of the CPU: oneDNN where it is installed, else NumPy ("caffe"); files and users may ask for one."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING

from brew.cpu import onednn, threads
from brew.errors import DeviceError, NetError, did_you_mean

if TYPE_CHECKING:
    from brew.graph.definition import Wish

log = logging.getLogger("brew")

NAMES = ("default", "caffe", "onednn")
_OLD = {"mkldnn": "onednn", "mkl2017": "onednn", "cudnn": "default", "": "default"}


def chosen(order: str, wished: Wish) -> str:
    """ "onednn" or "caffe": `order` is the program's or the command line's, `wished` the net file's.

    DeviceError for an order that cannot be followed, or of an unknown name; NetError for an unknown name in the file.
    A wish that cannot be followed is a warning.
    """
    order, wish, place = order.lower(), _OLD.get(wished.name.lower(), wished.name.lower()), wished.place
    if order not in NAMES:
        raise DeviceError(f'engine "{order}" is none of {", ".join(NAMES)}')
    if wish not in NAMES:
        raise NetError(f'engine "{wish}" is none of {", ".join(NAMES)}', place=place, hint=did_you_mean(wish, NAMES))
    if (order if order != "default" else wish) == "caffe":
        return "caffe"
    reason = onednn.why_not()
    if reason is None:
        return "onednn"
    if order == "onednn":
        raise DeviceError(f"engine onednn: {reason}", hint="pip install onednn-cpu-gomp")
    if wish == "onednn":
        log.warning("%sengine ONEDNN is not here (%s): NumPy computes", f"{place}: " if place else "", reason)
    return "caffe"


def described() -> str:
    """One line on what computes on the CPU: threads, oneDNN, compiled code, and the reason where one is missing."""
    from brew.cpu.llvm import compiler  # most nets are made without it

    library, code = onednn.why_not(), compiler.why_not()
    parts = [f"{threads.wanted()} threads" if threads.wanted() > 1 else "1 thread"]
    parts.append(f"oneDNN {onednn.version()}" if library is None else f"NumPy (no oneDNN: {library})")
    if code is None:
        parts.append(f"code of our own for {compiler.target().cpu}, vectors of {compiler.target().width}")
    else:
        parts.append(f"no code of our own: {code}")
    return "; ".join(parts)


def machine() -> str:
    """A digest of what the time of a pass on the CPU depends on: this processor, oneDNN, and code of our own."""
    from brew.cpu.llvm import compiler

    library = onednn.version() if onednn.why_not() is None else ""
    code = compiler.origin() if compiler.why_not() is None else b""
    return hashlib.sha256(code + library.encode()).hexdigest()[:40]

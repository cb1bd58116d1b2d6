"""What computes on the CPU: oneDNN where it is, else NumPy ("caffe"); and who may say otherwise (DECISIONS 13)."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from brew import onednn
from brew.errors import DeviceError, NetError, Place, did_you_mean

log = logging.getLogger("brew")

NAMES = ("default", "caffe", "onednn")
_OLD = {"mkldnn": "onednn", "mkl2017": "onednn", "cudnn": "default", "": "default"}


@dataclass(frozen=True, slots=True)
class Wish:
    """What a net's file says of its engine, "" for nothing."""

    name: str = ""
    place: Place | None = None


def chosen(order: str, wished: Wish) -> str:
    """ "onednn" or "caffe", from what a program or the command line orders and what a net's file wishes.

    DeviceError for an order that cannot be followed, NetError for a name that is none; a wish gets a warning.
    """
    order, wish, place = order.lower(), _OLD.get(wished.name.lower(), wished.name.lower()), wished.place
    if order not in NAMES:
        raise DeviceError(f'engine "{order}" is none of {", ".join(NAMES)}')
    if wish not in NAMES:
        raise NetError(f'engine "{wish}" is none of {", ".join(NAMES)}', place=place, hint=did_you_mean(wish, NAMES))
    reason = onednn.why_not() if "onednn" in (order, wish) or "caffe" not in (order, wish) else None
    if order == "onednn" and reason is not None:
        raise DeviceError(f"engine onednn: {reason}", hint="pip install onednn-cpu-gomp")
    if order != "default":
        return order
    if wish == "onednn" and reason is not None:
        log.warning("%sengine ONEDNN is not here (%s): NumPy computes", f"{place}: " if place else "", reason)
    if wish != "default":
        return wish if reason is None else "caffe"
    return "onednn" if reason is None else "caffe"

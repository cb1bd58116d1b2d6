"""pycaffe's NCCL: the gradients of several processes, added up. Brew trains in one."""

from __future__ import annotations

import secrets
from typing import Any

from brew.errors import DeviceError

from .mode import solver_count

_ID_BYTES = 128  # of NCCL's unique ids


def has_nccl() -> bool:
    """False: the library is not used."""
    return False


class NCCL:
    """Connects the solvers of several processes. For one solver there is nothing to add, and all of it does nothing.

    DeviceError where `set_solver_count` has been given more than one.
    """

    def __init__(self, solver: Any, uid: bytes | str) -> None:
        if solver_count() > 1:
            raise DeviceError(
                f"NCCL: {solver_count()} solvers are to train together; Brew trains on one device",
                hint="caffe.set_solver_count(1), and a batch as large as theirs together (or iter_size)",
            )

    @staticmethod
    def new_uid() -> bytes:
        """A new name for a group of solvers."""
        return secrets.token_bytes(_ID_BYTES)

    def bcast(self) -> None:
        """Give the weights of the first solver to all."""

    def on_start(self) -> None:
        """As a solver's callback: before an iteration."""

    def on_gradients_ready(self) -> None:
        """As a solver's callback: add up the gradients."""

    def __call__(self, layer: int) -> None:
        """As a net's callback: add up the gradients of one layer."""

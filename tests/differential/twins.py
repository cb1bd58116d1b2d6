"""Two nets of a case that share their weights, on two threads at once."""

from __future__ import annotations

import threading

import brew

from .case import Case
from .run import Outcome, Session

_ALONE = {"HDF5Output", "Data", "HDF5Data", "ImageData", "WindowData", "MemoryData", "Python"}


def can_be_two(case: Case) -> bool:
    """Whether nothing of a case is of one net alone, nor changed in forward."""
    stored = all(
        op.type != "BatchNorm"
        or op.param.batch_norm_param.use_global_stats
        or not op.param.batch_norm_param.HasField("use_global_stats")
        for op in case.ops
    )
    return case.phase == brew.TEST and stored and not case.touched and not _ALONE & {op.type for op in case.ops}


class Twins(Session):
    """The passes of one net, while another goes through the same; what the two give is compared in turns."""

    def run(self) -> Outcome:
        other = _Other(self)
        thread = threading.Thread(target=other.passes_of_its_own)
        thread.start()
        mine = super().run()
        thread.join()
        if other.error is not None:
            raise other.error
        theirs = other.outcome
        return {key: mine[key] if (place % 2) or key not in theirs else theirs[key] for place, key in enumerate(mine)}


class _Other(Session):
    error: BaseException | None = None

    def __init__(self, first: Session) -> None:
        self._first = first
        self.outcome: Outcome = {}
        super().__init__(first.case, first.way, first.off)

    def make(self, share: object = None) -> brew.Net:
        return super().make(share=self._first.net)

    def start(self) -> None:
        pass

    def passes_of_its_own(self) -> None:
        try:
            self.outcome = super().run()
        except BaseException as error:
            self.error = error

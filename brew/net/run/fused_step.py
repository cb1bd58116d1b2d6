"""The layers of a fused group as one step, which the engine computes (brew.layer.fused)."""

from __future__ import annotations

from collections.abc import Sequence

from brew.layer import Wanted
from brew.layer.arrays import Shapes
from brew.layer.fused import Fused
from brew.memory.blob import Blob
from brew.memory.scratch import Scratch

from .step import Step


class FusedStep(Step):
    """Several steps as one, between the bottoms that none of them makes and the tops of the last."""

    def __init__(self, members: Sequence[Step], how: type[Fused]) -> None:
        first, last = members[0], members[-1]
        self.members = list(members)
        made: list[Blob] = []
        bottoms: list[Blob] = []
        wanted: list[bool] = []
        for member in members:
            for blob, want in zip(member.bottoms, member.wanted.bottoms, strict=True):
                if all(blob is not other for other in (*made, *bottoms)):
                    bottoms.append(blob)
                    wanted.append(want)
            made += member.tops
        params = [p for member in members for p in member.params]
        wants = Wanted(tuple(wanted), tuple(w for member in members for w in member.wanted.params))
        self.how: Fused = how([member.layer for member in members])
        self._refused = Shapes((), ())  # those in which it does not run, and was not prepared anew since
        super().__init__(
            first.layer, bottoms, last.tops, params, wants, [self.how], first.stamps, first.device,
            loss_weights=[0.0] * len(last.tops),
        )  # fmt: skip

    @property
    def reads(self) -> frozenset[str]:
        return self.how.reads

    def reshape(self) -> None:
        """Bring what lies between and the tops to what the bottoms' shapes ask for now."""
        for member in self.members:
            member.reshape()
            member.unbind()  # what it was bound to may be gone when it runs by itself again

    def prepare(self, scratch: Scratch) -> None:
        """As every step; that it cannot in these shapes is found out once, not in every pass."""
        self._refused = self.current_shapes()
        super().prepare(scratch)
        self._refused = Shapes((), ())

    @property
    def is_refused(self) -> bool:
        """Whether it does not run in the present shapes."""
        return bool(self._refused.x) and self._refused == self.current_shapes()

"""What the memory plan of a net is made from, each time that it is made."""

from __future__ import annotations

from collections.abc import Sequence

from brew.memory.blob import Blob
from brew.memory.pass_schedule import Schedule
from brew.memory.plan import MemoryPlan

from .fusion import Group
from .step import Step


class MemoryPlanner:
    """Plans the memory of `steps` and `groups` as their shapes are now.

    kept   blobs that have memory of their own
    reuse  the others lie in bytes that are used in turns; False: everything can be read after a pass
    again  `RunOptions.recompute`, where there is something to gain
    """

    def __init__(
        self, steps: Sequence[Step], groups: Sequence[Group], kept: Sequence[Blob], device: str, *, reuse: bool,
        again: bool,
    ) -> None:  # fmt: skip
        self.steps, self.groups, self.kept, self.device = steps, groups, kept, device
        self.reuse, self.again = reuse, again

    def plan(self) -> MemoryPlan:
        """A new plan. Nothing is allocated."""
        kept = {memory for blob in self.kept for memory in (blob.data_memory, blob.diff_memory)}
        schedule = Schedule(len(self.steps))
        if self.again:
            from brew.memory import recompute  # for nets that ask for it

            schedule = recompute.choose(self.steps, self.groups, kept)
        return MemoryPlan(self.steps, self.groups, kept, self.device, schedule, reuse=self.reuse)

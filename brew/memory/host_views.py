"""The host views of blobs that live elsewhere, kept up to date around the passes of a net."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .blob import Blob, Memory
from .stamps import Stamps


class HostViews:
    """The host views of blobs that live on CUDA or in an engine's layout; between passes the views count."""

    def __init__(self, blobs: Sequence[Blob], stamps: Stamps, written: Callable[[], None]) -> None:
        """`stamps` are those of the blobs; `written` is called whenever the host may have written to any."""
        self._blobs, self._stamps, self._written = blobs, stamps, written
        self._exposed: list[Memory] = []
        self._looked_at = -1  # the latest stamp then

    def upload(self) -> None:
        """Before a pass: copy them to the device."""
        self._written()
        for memory in self._all():
            memory.upload()
            if memory.given.idle():
                memory.rest()

    def download(self) -> None:
        """After a pass: refresh them."""
        for memory in self._all():
            memory.download()

    @property
    def any(self) -> bool:
        """Whether there are such views now."""
        return bool(self._all())

    def _all(self) -> list[Memory]:
        """Every memory that has a host view of its own, once."""
        if self._looked_at != self._stamps.latest:
            pairs = ((blob.data_memory, blob.diff_memory) for blob in self._blobs if blob.data_memory.mirrored)
            self._exposed = list(dict.fromkeys(m for pair in pairs for m in pair if m.exposed and not m.resting))
            self._looked_at = self._stamps.latest
        return self._exposed

"""What a net needs in memory, known before it is allocated."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from brew.errors import ResourceError
from brew.graph import Graph
from brew.layer import count


@dataclass(frozen=True, slots=True)
class MemoryReport:
    """Bytes by purpose. `largest` lists the hungriest layers, (name, bytes of tops and parameters)."""

    data: int
    gradients: int
    params: int
    param_gradients: int
    history: int
    workspace: int
    largest: tuple[tuple[str, int], ...] = ()

    @property
    def total(self) -> int:
        return self.data + self.gradients + self.params + self.param_gradients + self.history + self.workspace

    def text(self) -> str:
        """One line for the log."""
        parts = [
            ("activations", self.data),
            ("their gradients", self.gradients),
            ("parameters", self.params),
            ("their gradients", self.param_gradients),
            ("solver history", self.history),
            ("workspace", self.workspace),
        ]
        listed = ", ".join(f"{name} {mib(size)}" for name, size in parts if size)
        return f"Memory predicted: {mib(self.total)} ({listed})"


def mib(size: int) -> str:
    """Bytes as MiB with a digit where it matters.

    >>> mib(5 * 2**20), mib(2**30), mib(3000)
    ('5.0 MiB', '1024 MiB', '0.0 MiB')
    """
    value = size / 2**20
    return f"{value:.0f} MiB" if value >= 100 else f"{value:.1f} MiB"


def predict(graph: Graph, itemsize: int, workspace: int, history_slots: int = 0, shared: bool = False) -> MemoryReport:
    """The report for a graph: `workspace` bytes of buffers, `history_slots` solver arrays per parameter.

    `shared` parameters belong to another net and cost nothing here.
    """
    views = _view_tops(graph)
    backward = {b for node in graph.nodes if node.backward for b in node.tops}
    backward |= {
        b for node in graph.nodes if node.backward
        for b, wanted in zip(node.bottoms, node.bottom_gradients, strict=True) if wanted
    }  # fmt: skip
    sizes = [count(blob.shape) * itemsize for blob in graph.blobs]
    owned = [p for i, p in enumerate(graph.params) if p.owner == i]
    params = 0 if shared else sum(count(p.declared.shape) for p in owned) * itemsize
    trains = history_slots > 0 or any(node.backward for node in graph.nodes)
    per_layer = [
        (
            node.layer.name,
            sum(sizes[t] for t in set(node.tops) - set(node.bottoms))
            + sum(count(graph.params[p].declared.shape) for p in node.params) * itemsize,
        )
        for node in graph.nodes
    ]
    return MemoryReport(
        data=sum(s for b, s in enumerate(sizes) if b not in views),
        gradients=sum(s for b, s in enumerate(sizes) if b in backward and not views.get(b, False)),
        params=params,
        param_gradients=params if trains else 0,
        history=params * history_slots,
        workspace=workspace,
        largest=tuple(sorted(per_layer, key=lambda item: -item[1])[:5]),
    )


def _view_tops(graph: Graph) -> dict[int, bool]:
    """Blobs that live in another's memory; True where their gradient does too."""
    result = {}
    for node in graph.nodes:
        for t, blob in enumerate(node.tops):
            view = node.layer.view(t)
            if view is not None:
                result[blob] = view.diff
    return result


def available_bytes() -> int | None:
    """Host memory that can be had without swapping, or None where the system does not say."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None


def check_fits(report: MemoryReport, net: str) -> None:
    """ResourceError, naming the largest layers, when the host has less than the net needs."""
    available = available_bytes()
    if available is not None and report.total > available:
        largest = ", ".join(f"{name} {mib(size)}" for name, size in report.largest)
        raise ResourceError(
            f'net "{net}" needs {mib(report.total)}, {mib(available)} are free; the largest layers: {largest}',
            hint="a smaller batch_size, with iter_size for the same effective batch, needs less",
        )

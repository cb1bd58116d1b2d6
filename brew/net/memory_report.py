"""The memory that a net needs, predicted before it is allocated."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from brew.errors import ResourceError
from brew.layer import count
from brew.layer.data_layer import DataLayer
from brew.units import mib

if TYPE_CHECKING:
    from brew.graph.graph import Graph
    from brew.net.run.executor import Executor


@dataclass(frozen=True, slots=True)
class MemoryReport:
    """Bytes by purpose.

    data, gradients  of the blobs that have memory of their own
    workspace        buffers that layers keep from call to call
    batches          that data layers hold, read ahead
    arena            what other blobs, scratch, and copies in other layouts use in turns (brew.memory.plan)
    batch            items in a pass; 0 where the net has no batch
    largest          the layers that need most: (name, bytes of tops and parameters)
    """

    data: int
    gradients: int
    params: int
    param_gradients: int
    history: int
    workspace: int
    arena: int = 0
    batches: int = 0
    batch: int = 0
    largest: tuple[tuple[str, int], ...] = ()

    @property
    def total(self) -> int:
        blobs = self.data + self.gradients + self.arena
        return blobs + self.params + self.param_gradients + self.history + self.workspace + self.batches

    def largest_batch(self, free: int) -> int | None:
        """An estimate of the largest batch that fits in `free` bytes; all but the parameters grows with the batch.

        None where that is not known.
        """
        fixed = self.params + self.param_gradients + self.history
        grows = self.total - fixed
        return max(free - fixed, 0) * self.batch // grows if self.batch and grows else None

    def text(self) -> str:
        """One short line for the log."""
        free = available_bytes()
        most = None if free is None else self.largest_batch(free)
        room = f"; a batch of about {most} fits in the {mib(free)} that are free" if free and most else ""
        return f"Memory predicted: {mib(self.total)}{room}"

    def details(self) -> str:
        """One line with the bytes of each purpose."""
        parts = [
            ("activations", self.data),
            ("their gradients", self.gradients),
            ("parameters", self.params),
            ("their gradients", self.param_gradients),
            ("solver history", self.history),
            ("workspace", self.workspace),
            ("used in turns", self.arena),
            ("batches read ahead", self.batches),
        ]
        return "Memory: " + (", ".join(f"{name} {mib(size)}" for name, size in parts if mib(size) != mib(0)) or mib(0))


def predict(
    executor: Executor, graph: Graph, itemsize: int, history_slots: int = 0, shared: bool = False
) -> MemoryReport:
    """The report for a graph as `executor` has planned it, with `history_slots` solver arrays per parameter.

    `shared` parameters belong to another net and cost nothing here.
    """
    plan = executor.memory
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
        data=plan.values,
        gradients=plan.gradients,
        params=params,
        param_gradients=params if trains else 0,
        history=params * history_slots,
        workspace=executor.kept_bytes,
        arena=plan.arena.bytes,
        batches=_read_ahead(graph),
        batch=_batch(graph),
        largest=tuple(sorted(per_layer, key=lambda item: -item[1])[:5]),
    )


def _read_ahead(graph: Graph) -> int:
    """Bytes of the batches that data layers hold beside their tops."""
    layers = ((node.layer, node.tops) for node in graph.nodes if isinstance(node.layer, DataLayer))
    return sum(layer.bytes_ahead([graph.blobs[top].shape for top in tops]) for layer, tops in layers)


def _batch(graph: Graph) -> int:
    shapes = (graph.blobs[t].shape for node in graph.nodes if not node.bottoms for t in node.tops)
    return next((shape[0] for shape in shapes if shape), 0)


def available_bytes() -> int | None:
    """Host memory that can be had without swapping, or None where the system does not say."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None


def check_fits(report: MemoryReport, net: str, device: str) -> None:
    """ResourceError, naming the largest layers, when the host has less than a net on the CPU needs."""
    available = available_bytes() if device == "cpu" else None
    if available is not None and report.total > available:
        raise _too_much(report, f'net "{net}" needs {mib(report.total)}, {mib(available)} are free')


def _too_much(report: MemoryReport, what: str) -> ResourceError:
    largest = ", ".join(f"{name} {mib(size)}" for name, size in report.largest)
    return ResourceError(
        f"{what}; the largest layers: {largest}",
        hint=_remedy(report),
    )


def _remedy(report: MemoryReport) -> str:
    if report.batches > report.total // 2:
        return f"prefetch is how many batches are read ahead, here {mib(report.batches)}; fewer need less"
    return "a smaller batch_size, with iter_size for the same effective batch, needs less"


class Budget:
    """Bytes that several nets may need together, and what those admitted so far need. None: as many as they like."""

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.spent = 0

    def admit(self, report: MemoryReport) -> None:
        """Count a net that is about to be allocated; ResourceError, naming its largest layers, where that is too
        much."""
        before = f" beside the {mib(self.spent)} of the nets before it" if self.spent else ""
        self.spent += report.total
        if self.limit is not None and self.spent > self.limit:
            raise _too_much(report, f"a net needs {mib(report.total)}{before}, max_memory is {mib(self.limit)}")

"""From a graph to what runs it: steps, groups of them, and a plan of their memory (docs/decisions/0001)."""

from __future__ import annotations

from collections.abc import Sequence

from brew.cpu import threads
from brew.graph.graph import Graph
from brew.layer import ChangeCount, registry
from brew.memory.blob import Blob
from brew.memory.scratch import Scratch
from brew.memory.stamps import Stamps

from .binding import Binding
from .blobs import seen_in_another_shape
from .executor import Executor
from .fusion import FusedGroups
from .memory_planner import MemoryPlanner
from .options import RunOptions
from .shapes_ahead import ShapesAhead
from .step import Step
from .whole_pass import WholePasses


def assemble(
    graph: Graph, blobs: Sequence[Blob], slots: Sequence[Blob], changes: ChangeCount, stamps: Stamps,
    options: RunOptions,
) -> Executor:  # fmt: skip
    """An executor for `graph`. Nothing is allocated.

    `blobs` are the graph's, `slots` its parameters, whose `changes` grow with every change of them; `stamps` are those
    of both.
    """
    device = options.device
    engine = registry.engine_of(device, options.engine)
    openmp = None if engine is None else engine.library()
    threads.hold_blas()
    if openmp is not None:
        threads.openmp_threads(openmp)  # what is prepared for a number of threads is prepared for those it runs on
    binding = Binding(changes, stamps, device)
    steps = [
        Step(
            node.layer, [blobs[b] for b in node.bottoms], [blobs[t] for t in node.tops],
            [slots[p] for p in node.params], node.wanted(graph.params),
            list(registry.implementations(node.layer, device, options.engine)), stamps, device,
            loss_weights=node.loss_weights, apart=node.apart,
        )
        for node in graph.nodes
    ]  # fmt: skip
    _prepare(steps, binding.scratch)
    together = options.fuse and engine is not None and all(engine.takes(step.layer) for step in steps)
    fused = FusedGroups(steps, binding, options.keeps, engine if together else None)
    planner = _planner(graph, blobs, steps, fused, options)
    sources = [blob.shown or blob for step in steps if not step.bottoms for blob in step.tops]
    return Executor(
        steps, fused, binding, planner, planner.plan(), ShapesAhead(steps, sources, binding.scratch),
        WholePasses(steps, fused, binding), forward_only=graph.forward_only, openmp=openmp,
    )  # fmt: skip


def _prepare(steps: Sequence[Step], scratch: Scratch) -> None:
    """Choose the implementations, from the front: each sees the layouts in which those before it give their tops."""
    plain = {memory for step in steps for memory in seen_in_another_shape(step)}
    for step in steps:
        step.prepare(scratch)
        step.lay_tops(plain)


def _planner(
    graph: Graph, blobs: Sequence[Blob], steps: Sequence[Step], fused: FusedGroups, options: RunOptions
) -> MemoryPlanner:  # fmt: skip
    losses = {t for n in graph.nodes for t, weight in zip(n.tops, n.loss_weights, strict=True) if weight}
    kept = [blob for b, blob in enumerate(blobs) if options.keeps(blob.name) or b in losses]
    reuse = not all(options.keeps(blob.name) for blob in blobs)
    again = options.recompute and reuse and not graph.forward_only
    return MemoryPlanner(steps, fused.groups, kept, options.device, reuse=reuse, again=again)

"""Mistakes in nets that runs tell as `brew check` does (brew.checks.telling). The rules load with the first net."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from brew.graph import Graph
    from brew.net import Net
    from brew.net_source import NetSource


def of_net(source: NetSource, graph: Graph) -> None:
    """What there is to say of a net as soon as its graph stands."""
    from brew.checks.telling import tell

    tell(source, graph)


def of_training(net: Net, decay: float) -> None:
    """What there is to say when the training of `net` begins; its weights are where they start."""
    from brew.checks.telling import tell_training

    tell_training(net, decay)

"""Nets that come to use the weights of another net while they run: Caffe's ShareTrainedLayersWith."""

from __future__ import annotations

from .net import Net


def share(net: Net, other: Net) -> None:
    """Let `net` use the parameters of `other` wherever a layer has the same name; what changes there changes here.

    Layers that `other` lacks keep their own. NetError where shapes differ, UsageError where `net` is being trained.
    """
    net.parameters.take_over(other.parameters)
    net.executor.bind_again(net.parameters.changes)

"""From a net's message to its checked graph: states, splits, shapes, gradients. Nothing is allocated."""

"""Python layers of the random nets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from brew.memory.blob import Blob
from brew.python_layer import PythonLayer

Blobs = Sequence[Blob]


class Halve(PythonLayer):
    """y = x / 2, right in place too."""

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        np.multiply(bottom[0].data, 0.5, out=top[0].data)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if propagate_down[0]:
            np.multiply(top[0].diff, 0.5, out=bottom[0].diff)


class Square(Halve):
    """y = x², with a copy of x for backward."""

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        self.kept = bottom[0].data.copy()
        np.multiply(self.kept, self.kept, out=top[0].data)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if propagate_down[0]:
            bottom[0].diff[...] = 2 * self.kept * top[0].diff


class Learned(Halve):
    """y = x + a, of one learned number."""

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        self.blobs.add_blob(1, filler={"type": "constant", "value": 0.3})

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        np.add(bottom[0].data, self.blobs[0].data[0], out=top[0].data)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        self.blobs[0].diff[...] += top[0].diff.sum()
        if propagate_down[0]:
            bottom[0].diff[...] = top[0].diff


class Pair(PythonLayer):
    """Two tops: x + 1 and 3 x. The second is larger for a while."""

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        for blob in top:
            blob.reshape(*bottom[0].shape)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        kept = bottom[0].data.copy()
        top[0].data[...] = kept + 1
        top[1].reshape(2 * bottom[0].count)
        top[1].reshape(*bottom[0].shape)
        top[1].data[...] = 3 * kept

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if propagate_down[0]:
            bottom[0].diff[...] = top[0].diff + 3 * top[1].diff

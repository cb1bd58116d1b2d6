"""Class labels as blobs carry them: floats, cast to int, one perhaps to be ignored.

On the CPU a label out of range is a DataError. A kernel cannot raise: `label_of` gives it a value that is no class,
and the layers turn it into NaN, which stops a training (Caffe reads out of bounds).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from brew.errors import DataError
from brew.layer import Array, Layer, Shape, count

from .fold import Fold

NO_LABEL = -(1 << 41)  # for kernels: ignores nothing, as no label is read as this

LABEL_OF = r"""
// The label as an integer, cut off as a C cast does; NaN and what no int holds become a number no int is.
template <typename T>
__device__ long long label_of(T label) {
  return label > (T)-2147483649.0 && label < (T)2147483648.0 ? (long long)label : -(1ll << 40);
}
"""


def check_labels(layer: Layer, folded: Fold, bottom: Sequence[Shape]) -> None:
    """NetError unless bottom 0, folded around its classes, has some, and bottom 1 a label for each position."""
    outer, dim, inner = folded
    if not dim:
        raise layer.shape_error("scores with at least one class", bottom)
    if count(bottom[1]) != outer * inner:
        hint = "do scores and labels come in batches of one size?"
        if count(bottom[1]) == outer * dim * inner > outer * inner:
            hint = "shares of the classes, as mix_param makes them, want the loss that docs/data.md shows (Soft labels)"
        if inner > 1 and count(bottom[1]) == outer:
            hint = "for one label an item, an InnerProduct or a global Pooling before makes one place of all"
        raise layer.shape_error(f"scores with {dim} classes and {outer * inner} labels for them", bottom, hint=hint)


def class_indices(
    layer: Layer, labels: Array, classes: int, ignore: int | None
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_] | None]:
    """The labels as indices, and which of them count (None: all do); ignored ones have index 0.

    DataError, naming the first wrong label and its position, unless all that count are in [0, classes).
    """
    with np.errstate(invalid="ignore"):  # NaN becomes the least integer, which is out of range
        indices = labels.astype(np.intp)
    counts = None
    if ignore is not None:
        counts = indices != ignore
        indices[~counts] = 0
    unsigned = indices.view(np.uintp)  # what is below 0 is large in it
    if unsigned.size and np.maximum.reduce(unsigned, axis=None) >= classes:
        first = int(np.argmax(unsigned >= classes))
        raise DataError(
            f'layer "{layer.name}" ({layer.type}): label {labels.flat[first]:g} at position {first} is no class; '
            f"expected 0 to {classes - 1} as each of the {labels.size}",
            place=layer.context.place(),
            hint="is num_output of the last layer the number of classes, and does the source count from 0?",
        )
    return indices, counts

"""The arguments of a Net, in each order that pycaffe has accepted, and checks of them."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from brew.errors import UsageError, did_you_mean
from brew.layer import TEST, TRAIN, shape_text
from brew.layer.data_layer import TakesArrays

if TYPE_CHECKING:
    from brew.layer import Layer
    from brew.memory.blob import Blob

log = logging.getLogger("brew")

_WORDS = {"TRAIN": int(TRAIN), "TEST": int(TEST)}
_ORDER = "(network, phase, level, stages, weights)"
_PHASES = 'a phase is brew.TRAIN or brew.TEST, or "train" or "test"'


def in_order(args: Sequence[Any], phase: Any, weights: Any, level: Any, stages: Any) -> tuple[Any, Any, Any, Any]:
    """(phase, weights, level, stages) of Net(file, phase, level, stages, weights) or, older, Net(file, weights, phase).

    A phase is brew.TRAIN, brew.TEST, or the word "train" or "test". UsageError for arguments in neither order.
    """
    if len(args) > 4:
        raise UsageError(f"Net takes {_ORDER}; {len(args) + 1} were given")
    if args and not _is_phase(args[0], word=len(args) != 2 and phase is None):
        later = [*args[1:], *([] if phase is None else [phase])]
        if len(later) != 1 or weights is not None:
            what = (
                f"Net: its second argument, {args[0]!r}, is no phase; it takes (network, phase, level, stages, weights)"
            )
            raise UsageError(what, hint=f"or (network, weights, phase), Caffe's old order; {_PHASES}")
        return _phase(later[0]), args[0], level, stages
    given = [*args, *([None] * (4 - len(args)))]
    phase = given[0] if phase is None else phase
    level = given[1] if level is None else level
    stages = given[2] if stages is None else stages
    weights = given[3] if weights is None else weights
    if isinstance(stages, str):
        raise UsageError(f'Net: stages is a list of words, not "{stages}"', hint=f'stages=["{stages}"]')
    return (TEST if phase is None else _phase(phase)), weights, level, stages


def _is_phase(value: object, *, word: bool) -> bool:
    """Whether an argument is a phase; with `word`, a string may be one, because it cannot be a weights file."""
    return isinstance(value, (int, np.integer)) or (word and isinstance(value, str) and value.upper() in _WORDS)


def _phase(value: object) -> int:
    if isinstance(value, str) and value.upper() in _WORDS:
        return _WORDS[value.upper()]
    if isinstance(value, (int, np.integer)) and int(value) in _WORDS.values():
        return int(value)
    raise UsageError(f"Net: {value!r} is no phase", hint=_PHASES)


def readable(keep: Iterable[str] | None, outputs: Iterable[str], blobs: Collection[str]) -> frozenset[str] | None:
    """Which blobs must be readable after a pass: all (None), or the outputs and those that `keep` names.

    UsageError for a name that no blob has.
    """
    if keep is None:
        return None
    names = frozenset([*keep, *outputs])
    for name in names.difference(blobs):
        written = (blob for blob in blobs if "_split_" not in blob)
        raise UsageError(f'keep: the net has no blob "{name}"', hint=did_you_mean(name, written))
    return names


def recomputes(recompute: bool, keep: Iterable[str] | None) -> bool:
    """Whether the net may recompute; a warning where it is asked to, but keeps every blob."""
    if recompute and keep is None:
        log.warning("recompute saves nothing where every blob is kept: keep=[...] says which are")
    return recompute and keep is not None


def write_inputs(blobs: Mapping[str, Blob], inputs: Sequence[str], given: Mapping[str, npt.ArrayLike]) -> None:
    """Fill the `inputs` of a net, all of them; UsageError for other names, and as `write`."""
    if set(given) != set(inputs):
        raise UsageError(f"forward was given {sorted(given)}; the net's inputs are {list(inputs)}")
    for name, value in given.items():
        write(blobs[name], value, "data")


def write_gradients(blobs: Mapping[str, Blob], outputs: Sequence[str], given: Mapping[str, npt.ArrayLike]) -> None:
    """Fill the gradients of some `outputs` of a net; UsageError for other names, and as `write`."""
    for name, value in given.items():
        if name not in outputs:
            raise UsageError(f'"{name}" is not an output; outputs are {list(outputs)}')
        write(blobs[name], value, "diff")


def write(blob: Blob, value: npt.ArrayLike, which: str) -> None:
    """Fill `blob`, its "data" or "diff", from the caller's `value`; UsageError for another shape."""
    array = np.asarray(value)
    if array.ndim and blob.shape and array.shape[0] != blob.shape[0]:
        raise UsageError(f'{which} of "{blob.name}" is not batch sized: {array.shape[0]} items for {blob.shape[0]}')
    if array.size != blob.count:
        raise UsageError(f'{which} of "{blob.name}" is {shape_text(array.shape)}, the blob {shape_text(blob.shape)}')
    getattr(blob, which)[...] = array.reshape(blob.shape)


def views(blobs: Mapping[str, Blob], names: Iterable[str], which: str) -> dict[str, npt.NDArray[Any]]:
    """By name, the "data" or "diff" of some of a net's blobs; UsageError for a name that is none."""
    found = {}
    for name in names:
        blob = blobs.get(name)
        if blob is None:
            raise UsageError(f'the net has no blob "{name}"', hint=did_you_mean(name, blobs))
        found[name] = getattr(blob, which)
    return found


def set_input_arrays(layers: Iterable[Layer], data: npt.ArrayLike, labels: npt.ArrayLike, net: str) -> None:
    """Give the first MemoryData layer its data (n x channels x height x width) and n labels.

    UsageError when `net` has no such layer, and where the arrays do not fit it.
    """
    for layer in layers:
        if isinstance(layer, TakesArrays):
            layer.reset(data, labels)
            return
    raise UsageError(f'net "{net}" has no MemoryData layer: set_input_arrays has nothing to fill')


def layer_number(layers: Sequence[Layer], name: str | None, default: int | None = None) -> int:
    """The number of the first layer of this name; for None `default`, or the last one.

    UsageError for a name that no layer has.
    """
    if name is None:
        return len(layers) - 1 if default is None else default
    names = [layer.name for layer in layers]
    if name not in names:
        raise UsageError(f'the net has no layer "{name}"', hint=did_you_mean(name, names))
    return names.index(name)

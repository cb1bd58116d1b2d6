"""Weights in the safetensors format: tensors named `<layer>/<index>`, little-endian, after a header in JSON.

The `safetensors` package checks a file and writes it; the values are then views of the mapped file. Tensors of float16,
bfloat16, float32 and float64 are weights. A blob that layers share is stored with its owner alone, as in HDF5. The
metadata say `format: brew` and the net's name. The format: https://github.com/huggingface/safetensors.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from brew.errors import Place, WeightsError
from brew.files import regular

from .stored import BFLOAT16, LayerBlobs, StoredBlob, Values, mapped

_DTYPES: dict[str, np.dtype[Any]] = {
    "F16": np.dtype("<f2"),
    "BF16": BFLOAT16,
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
}
_LONGEST_HEADER = 100_000_000  # bytes, the package's limit
_METADATA = "__metadata__"


def is_safetensors(path: str | Path) -> bool:
    """Whether the file begins as safetensors do: the header's length in eight bytes, then its brace."""
    try:
        head = regular.head(path, 9)
    except OSError:
        return False
    return head[8:] == b"{" and int.from_bytes(head[:8], "little") <= _LONGEST_HEADER


def read_weights(path: str | Path) -> list[LayerBlobs]:
    """The layers of a safetensors file, in the header's order; WeightsError names the tensor that cannot be used."""
    buffer = mapped(path, "weights (safetensors)")
    header, values_at = _header(path, buffer)
    foreign = [name for name in header if not _is_ours(name)]
    if foreign or not header:
        listed = ", ".join(f'"{name}"' for name in foreign[:5]) + (", ..." if len(foreign) > 5 else "")
        what = f"{len(foreign)} of {len(header)} tensors are not named <layer>/<index>: {listed}"
        raise WeightsError(
            what if header else "no tensor in it",
            place=Place(str(path)),
            hint="weights of another framework: rename each tensor after its layer, such as conv1/0 for the weights "
            "and conv1/1 for the bias",
        )
    found: dict[str, dict[int, StoredBlob]] = {}
    for name, info in header.items():
        layer, _, index = name.rpartition("/")
        dtype = _DTYPES.get(info["dtype"])
        if dtype is None:
            known = ", ".join(_DTYPES)
            raise WeightsError(f'tensor "{name}" holds {info["dtype"]}, not one of {known}', place=Place(str(path)))
        begin, end = info["data_offsets"]
        values = np.frombuffer(buffer, dtype, (end - begin) // dtype.itemsize, values_at + begin)
        found.setdefault(layer, {})[int(index)] = StoredBlob(tuple(info["shape"]), False, values)
    return [LayerBlobs(layer, "", [blobs[i] for i in sorted(blobs)], sorted(blobs)) for layer, blobs in found.items()]


def write_weights(path: Path, layers: Values, diffs: Values | None, net: str) -> None:
    """Write (layer, [(index, values)]) of the net named `net`, no gradients; values go out as they lie in memory."""
    from safetensors.numpy import save_file

    tensors = {  # ascontiguousarray gives a scalar an axis
        f"{layer}/{index}": np.ascontiguousarray(v).reshape(v.shape) for layer, blobs in layers for index, v in blobs
    }
    save_file(tensors, path, metadata={"format": "brew", "net": net})


def _is_ours(name: str) -> bool:
    _, slash, index = name.rpartition("/")
    return bool(slash) and index.isascii() and index.isdigit() and str(int(index[:9])) == index


def _header(path: str | Path, buffer: memoryview) -> tuple[dict[str, Any], int]:
    """The header's entry of each tensor, and the offset of the values; the package has checked that all are there."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np"):
            pass
        length = int.from_bytes(buffer[:8], "little")
        header = json.loads(bytes(buffer[8 : 8 + length]), object_pairs_hook=_without_duplicates)
    except (SafetensorError, ValueError) as error:
        reason = f"damaged or truncated safetensors: {error}; the file has {len(buffer)} bytes"
        raise WeightsError(reason, place=Place(str(path))) from None
    header.pop(_METADATA, None)
    return header, 8 + length


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """ValueError for two tensors of one name, of which the package would take the last."""
    result = dict(pairs)
    if len(result) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f'"{twice}" is there twice')
    return result

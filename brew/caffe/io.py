"""caffe.io: arrays as messages of Caffe and back, images from files, and images prepared for a net."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from brew.data.images.decoding import decode_image
from brew.proto import caffe_pb2

from .images import files
from .images.resizing import ArrayError, Floats, oversample, resize, resize_image
from .images.transformer import Transformer

__all__ = [
    "Transformer",
    "array_to_blobproto",
    "array_to_datum",
    "arraylist_to_blobprotovector_str",
    "blobproto_to_array",
    "blobprotovector_str_to_arraylist",
    "caffe_pb2",
    "datum_to_array",
    "load_image",
    "oversample",
    "resize",
    "resize_image",
]

Array: TypeAlias = npt.NDArray[Any]

# What pycaffe's module had by its own imports, and scripts take from there: (module, name in it).
_OF_OTHERS = {"skimage": ("skimage.io", ""), "zoom": ("scipy.ndimage", "zoom")}


def __getattr__(name: str) -> Any:
    if name not in _OF_OTHERS:
        raise AttributeError(f"module 'caffe.io' has no attribute {name!r}")
    module, inside = _OF_OTHERS[name]
    try:
        found = importlib.import_module(module)
    except ImportError:
        package = {"skimage": "scikit-image", "zoom": "scipy"}[name]
        raise AttributeError(f"caffe.io.{name} needs {package}, which is not installed") from None
    return getattr(found, inside) if inside else sys.modules[module.partition(".")[0]]


def blobproto_to_array(blob: caffe_pb2.BlobProto, return_diff: bool = False) -> npt.NDArray[np.float64]:
    """The values of a BlobProto, or with `return_diff` its gradient, in its shape (four axes where it has the old one).

    ArrayError where the values do not fill the shape. One value without a shape is a scalar.
    """
    single, double = (blob.diff, blob.double_diff) if return_diff else (blob.data, blob.double_data)
    values = np.array(single if len(single) else double, np.float64)
    legacy = any(blob.HasField(axis) for axis in ("num", "channels", "height", "width"))
    shape = (blob.num, blob.channels, blob.height, blob.width) if legacy else tuple(blob.shape.dim)
    return _shaped(values, shape, "the blob's gradient" if return_diff else "the blob")


def array_to_blobproto(arr: Array, diff: Array | None = None) -> caffe_pb2.BlobProto:
    """A BlobProto of this shape with these values as float32, and `diff`, of the same shape, as its gradient."""
    blob = caffe_pb2.BlobProto()
    blob.shape.dim.extend(arr.shape)
    blob.data.extend(np.asarray(arr, np.float32).ravel().tolist())
    if diff is not None:
        if diff.shape != arr.shape:
            raise ArrayError(f"the gradient has shape {diff.shape}, the values {arr.shape}: they must be equal")
        blob.diff.extend(np.asarray(diff, np.float32).ravel().tolist())
    return blob


def arraylist_to_blobprotovector_str(arraylist: Iterable[Array]) -> bytes:
    """A serialized BlobProtoVector of these arrays."""
    return caffe_pb2.BlobProtoVector(blobs=[array_to_blobproto(arr) for arr in arraylist]).SerializeToString()


def blobprotovector_str_to_arraylist(str: bytes) -> list[npt.NDArray[np.float64]]:
    """The arrays of a serialized BlobProtoVector."""
    return [blobproto_to_array(blob) for blob in caffe_pb2.BlobProtoVector.FromString(str).blobs]


def array_to_datum(arr: Array, label: int | None = None) -> caffe_pb2.Datum:
    """A Datum of (channels, height, width): uint8 as bytes, anything else as float_data. ArrayError for other axes."""
    if arr.ndim != 3:
        raise ArrayError(f"a Datum is channels x height x width: 3 axes, not those of {arr.shape}")
    datum = caffe_pb2.Datum()
    datum.channels, datum.height, datum.width = arr.shape
    if arr.dtype == np.uint8:
        datum.data = arr.tobytes()
    else:
        datum.float_data.extend(np.asarray(arr, np.float32).ravel().tolist())
    if label is not None:
        datum.label = int(label)
    return datum


def datum_to_array(datum: caffe_pb2.Datum) -> npt.NDArray[np.uint8] | npt.NDArray[np.float64]:
    """The pixels of a Datum, (channels, height, width): uint8 of bytes, else float64. Its label is `datum.label`.

    An encoded image is decoded as data layers do, BGR. ArrayError where the values do not fill the shape, BadImage
    (ValueError) for an image that cannot be decoded.
    """
    if datum.encoded:
        return decode_image(datum.data)
    shape = datum.channels, datum.height, datum.width
    if datum.data:
        return _shaped(np.frombuffer(datum.data, np.uint8).copy(), shape, "the Datum")
    return _shaped(np.array(datum.float_data, np.float64), shape, "the Datum")


def _shaped(values: Array, shape: tuple[int, ...], what: str) -> Array:
    if values.size != np.prod(shape, dtype=np.int64):
        raise ArrayError(f"{what} has {values.size} values; its shape {shape} holds {np.prod(shape, dtype=np.int64)}")
    return values.reshape(shape)


def load_image(filename: files.Source, color: bool = True) -> Floats:
    """The image of a file's name, path or open file: RGB, (rows, columns, 3), float32 from 0 to 1.

    Without `color`, gray as (rows, columns, 1). Gray files become three equal channels, alpha is left out, 16 bits are
    read as they are, a camera's orientation mark is not obeyed. OSError where it cannot be read, ImageError (DataError)
    where it cannot be decoded.
    """
    return files.load(filename, color=color)

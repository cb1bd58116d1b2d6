"""Arrays as messages and back."""

from __future__ import annotations

import io
import sys
import types

import numpy as np
import pytest
from PIL import Image

import brew.caffe.io as caffe_io
from brew.errors import BrewError
from brew.proto.brew_pb2 import BlobProto, Datum

VALUES = np.arange(6, dtype=np.float32).reshape(1, 2, 3)


def test_a_blob_there_and_back() -> None:
    blob = caffe_io.array_to_blobproto(VALUES, VALUES * 2)
    assert list(blob.shape.dim) == [1, 2, 3]
    assert list(blob.data) == [0, 1, 2, 3, 4, 5]
    assert caffe_io.blobproto_to_array(blob).tolist() == VALUES.tolist()
    assert caffe_io.blobproto_to_array(blob, return_diff=True).tolist() == (VALUES * 2).tolist()


def test_old_shapes_have_four_axes() -> None:
    blob = BlobProto(num=1, channels=2, height=1, width=3, data=range(6))
    assert caffe_io.blobproto_to_array(blob).shape == (1, 2, 1, 3)


def test_doubles_are_read() -> None:
    blob = BlobProto(double_data=[0.1, 0.2], double_diff=[3, 4])
    blob.shape.dim.append(2)
    assert caffe_io.blobproto_to_array(blob).tolist() == [0.1, 0.2]
    assert caffe_io.blobproto_to_array(blob, return_diff=True).tolist() == [3, 4]


def test_one_value_without_a_shape_is_a_scalar() -> None:
    assert caffe_io.blobproto_to_array(BlobProto(data=[123])) == 123


def test_values_that_do_not_fill_the_shape() -> None:
    with pytest.raises(ValueError, match=r"the blob has 4 values; its shape \(\) holds 1") as caught:
        caffe_io.blobproto_to_array(BlobProto(data=range(4)))
    assert isinstance(caught.value, BrewError)
    with pytest.raises(ValueError, match="must be equal"):
        caffe_io.array_to_blobproto(VALUES, VALUES[0])


def test_a_row_of_blobs_there_and_back() -> None:
    text = caffe_io.arraylist_to_blobprotovector_str([VALUES, VALUES[0] + 1])
    first, second = caffe_io.blobprotovector_str_to_arraylist(text)
    assert (first.tolist(), second.tolist()) == (VALUES.tolist(), (VALUES[0] + 1).tolist())


def test_bytes_become_a_datums_data_and_others_floats() -> None:
    datum = caffe_io.array_to_datum(VALUES.astype(np.uint8), np.int64(7))
    assert (datum.channels, datum.height, datum.width, datum.label) == (1, 2, 3, 7)
    assert datum.data == bytes(range(6))
    pixels = caffe_io.datum_to_array(datum)
    assert pixels.dtype == np.uint8
    assert pixels.tolist() == VALUES.tolist()
    pixels[0, 0, 0] = 9  # is the caller's own
    floats = caffe_io.array_to_datum(VALUES.astype(np.int32))
    assert not floats.HasField("label")
    assert list(floats.float_data) == [0, 1, 2, 3, 4, 5]
    assert caffe_io.datum_to_array(floats).tolist() == VALUES.tolist()


def test_an_encoded_datum_is_decoded_as_bgr() -> None:
    file = io.BytesIO()
    Image.new("RGB", (3, 2), (255, 100, 0)).save(file, "PNG")
    pixels = caffe_io.datum_to_array(Datum(encoded=True, data=file.getvalue()))
    assert pixels[:, 0, 0].tolist() == [0, 100, 255]
    assert pixels.shape == (3, 2, 3)


def test_a_datum_has_three_axes_and_all_its_values() -> None:
    with pytest.raises(ValueError, match=r"3 axes, not those of \(2, 3\)"):
        caffe_io.array_to_datum(VALUES[0])
    with pytest.raises(ValueError, match=r"the Datum has 5 values; its shape \(1, 2, 3\) holds 6"):
        caffe_io.datum_to_array(Datum(channels=1, height=2, width=3, data=bytes(5)))


def test_messages_are_at_hand() -> None:
    assert caffe_io.caffe_pb2.Datum is Datum


def test_names_that_pycaffes_module_had_by_its_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage", types.ModuleType("skimage"))
    monkeypatch.setitem(sys.modules, "skimage.io", types.ModuleType("skimage.io"))
    assert caffe_io.skimage is sys.modules["skimage"]
    monkeypatch.setitem(sys.modules, "scipy.ndimage", types.SimpleNamespace(zoom=abs))
    assert caffe_io.zoom is abs
    monkeypatch.setitem(sys.modules, "skimage.io", None)
    with pytest.raises(AttributeError, match=r"caffe\.io\.skimage needs scikit-image, which is not installed"):
        _ = caffe_io.skimage
    assert not hasattr(caffe_io, "imread")

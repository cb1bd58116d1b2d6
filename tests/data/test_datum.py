from __future__ import annotations

import numpy as np
import pytest

from brew.data.datum import ImageRule, decode, decode_batch
from brew.errors import DataError
from brew.proto.brew_pb2 import Datum

random = np.random.default_rng(0)
STORED = ImageRule()


def raw(label=0, shape=(1, 5, 4), **fields):
    pixels = random.integers(0, 256, shape, np.uint8)
    channels, height, width = shape
    fields = {"label": label, **fields}
    return Datum(channels=channels, height=height, width=width, data=pixels.tobytes(), **fields), pixels


def as_records(datums):
    return [(b"%08d" % i, d.SerializeToString()) for i, d in enumerate(datums)]


@pytest.mark.parametrize("encoded", [None, False])  # writers differ in whether they say that it is not
@pytest.mark.parametrize("shape", [(1, 5, 4), (3, 20, 16), (1, 1, 1), (3, 100, 70)])
def test_a_batch_is_decoded_as_its_records_are(shape, encoded):
    datums, pixels = zip(*(raw(i % 10, shape, encoded=encoded) for i in range(6)), strict=True)
    images, labels = decode_batch(as_records(datums), STORED)
    assert isinstance(images, np.ndarray)
    assert np.array_equal(images, pixels)
    assert labels.tolist() == [0, 1, 2, 3, 4, 5]
    one, label = decode(as_records(datums)[5], STORED)
    assert np.array_equal(one, pixels[5]) and label == 5


@pytest.mark.parametrize("labels", [[3, 200, 1], [200, 3, 1], [-1, 3, 1], [3, -1, 1], [1000, 999, 998]])
def test_labels_of_any_size(labels):
    datums, pixels = zip(*(raw(label) for label in labels), strict=True)
    images, decoded = decode_batch(as_records(datums), STORED)
    assert decoded.tolist() == labels
    assert isinstance(images, np.ndarray)
    assert all(np.array_equal(a, b) for a, b in zip(images, pixels, strict=True))


def test_fields_behind_the_pixels_count_as_a_parser_has_them():
    datums, pixels = zip(*(raw(3) for _ in range(3)), strict=True)
    for more, label in ((Datum(label=300), 300), (Datum(encoded=False), 3)):
        records = as_records(datums[:2])
        records.append((b"k", datums[2].SerializeToString() + more.SerializeToString()))
        images, labels = decode_batch(records, STORED)
        assert labels.tolist() == [3, 3, label] and np.array_equal(images, pixels)
    records[-1] = (b"k", datums[2].SerializeToString() + Datum(height=4, width=5).SerializeToString())
    images, _ = decode_batch(records, STORED)
    assert [image.shape for image in images] == [(1, 5, 4), (1, 5, 4), (1, 4, 5)]


def test_without_labels():
    datums = [raw()[0] for _ in range(3)]
    for datum in datums:
        datum.ClearField("label")
    assert decode_batch(as_records(datums), STORED)[1].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "second",
    [
        raw(1, (1, 4, 5))[0],  # as many bytes, another shape
        raw(1, (2, 5, 2))[0],
        Datum(channels=1, height=5, width=4, float_data=range(20)),
        raw(1, (3, 5, 4))[0],
    ],
)
def test_a_batch_of_different_records(second):
    first, pixels = raw(7)
    images, _ = decode_batch(as_records([first, second]), STORED)
    assert isinstance(images, list)
    assert np.array_equal(images[0], pixels)
    assert images[1].shape == (second.channels, second.height, second.width)


def test_floats():
    pixels, _ = decode((b"k", Datum(channels=2, height=1, width=2, float_data=[-1.5, 2, 3, 4]).SerializeToString()))
    assert pixels.dtype == np.float32
    assert pixels.tolist() == [[[-1.5, 2]], [[3, 4]]]


@pytest.mark.parametrize(
    ("datum", "what"),
    [
        (Datum(channels=3, height=2, width=2, data=bytes(11)), r"3 x 2 x 2 .* 12 values, and has 11"),
        (Datum(channels=1, height=2, width=2, float_data=[1, 2]), r"4 values, and has 2"),
        (Datum(channels=1, height=0, width=2, data=b"ab"), "its size is 1 x 0 x 2"),
        (Datum(channels=1, height=-1, width=2, data=b"ab"), "its size is 1 x -1 x 2"),
        (Datum(channels=1, height=1, width=2), "no pixels"),
        (Datum(channels=1, height=1, width=1, data=b"a", float_data=[1]), "both data and float_data"),
        (Datum(encoded=True, data=b"no image"), "encoded image of 8 bytes is of no known format"),
        (Datum(encoded=True), "encoded image has no bytes"),
        (b"\xff\xff", "no Datum"),
    ],
)
def test_bad_records_are_named(datum, what):
    value = datum if isinstance(datum, bytes) else datum.SerializeToString()
    with pytest.raises(DataError, match=f"record '0007_dog.png': .*{what}"):
        decode((b"0007_dog.png", value))
    with pytest.raises(DataError, match=what):
        decode_batch([*as_records([raw()[0]]), (b"0007_dog.png", value)], STORED)

"""Batches that are read ahead hold bytes where they can; in the net they are the same numbers."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from brew.cpu.pixels.held import HeldWindows
from brew.data.databases.lmdb_writer import write_lmdb
from brew.data.datum import decode
from brew.data.images.decoding import AS_STORED
from brew.errors import DataError
from brew.layer import TEST, TRAIN, Context
from brew.layer.registry import layer_class
from brew.proto.brew_pb2 import Datum, LayerParameter
from brew.prototxt import parse

pytestmark = pytest.mark.native
random = np.random.default_rng(0)
IMAGES = random.integers(0, 256, (9, 3, 24, 29), np.uint8)


def raw(number):
    return Datum(channels=3, height=24, width=29, data=IMAGES[number].tobytes(), label=number)


def encoded(number, kind="PNG"):
    stream = io.BytesIO()
    Image.fromarray(IMAGES[number].transpose(1, 2, 0)).save(stream, kind)
    return Datum(data=stream.getvalue(), label=number, encoded=True)


def floats(number):
    return Datum(channels=3, height=24, width=29, float_data=IMAGES[number].reshape(-1).tolist(), label=number)


def layer(folder, text, datums=None, phase=TRAIN, dtype=np.float32, fields="batch_size: 4"):
    if datums is not None:
        write_lmdb(folder / "db", ((b"%08d" % i, d.SerializeToString()) for i, d in enumerate(datums)))
    param = parse(
        f"""name: "d" type: "Data" top: "data" top: "label" transform_param {{ {text} }}
            data_param {{ source: "db" backend: LMDB {fields} }}""",
        LayerParameter,
    )
    made = layer_class("Data")(param.message, Context(phase=phase, seed=3, folder=folder, dtype=np.dtype(dtype)))
    made.infer_shapes([])
    return made


def written(made, batches):
    found = []
    for _ in range(batches):
        tops = [np.full(shape, np.nan, made.context.dtype) for shape in made.next_shapes()]
        made.write_batch(tops)
        found.append(tops)
    made.close()
    return found


WAYS = [
    "",
    "mean_value: 3",
    "crop_size: 17 mirror: true mean_value: 1 mean_value: 2 mean_value: 4 scale: 0.5",
    "crop_h: 20 crop_w: 16 mirror: true",
    "mirror: true noise_param { prob: 0.5 hist_eq: true } mean_value: 7",
    "crop_size: 17 resize_param { height: 20 width: 20 }",
]


@pytest.mark.parametrize("phase", [TRAIN, TEST])
@pytest.mark.parametrize("text", WAYS)
@pytest.mark.parametrize("make", [raw, encoded, lambda n: encoded(n, "JPEG"), lambda n: (raw, encoded)[n % 2](n)])
def test_the_same_numbers_as_batches_of_numbers(tmp_path, make, text, phase):
    held = layer(tmp_path, text, map(make, range(9)), phase)
    plain = layer(tmp_path, text, None, phase, np.float64)  # these whole numbers are exact in both types
    again = layer(tmp_path, text, None, phase)
    assert held.holds_bytes and not plain.holds_bytes
    if make is raw:
        assert isinstance(held._batches().peek().tops[0], HeldWindows)
    for ours, theirs in zip(written(held, 5), written(plain, 5), strict=True):
        arrays = again.next_batch()
        for mine, other, array in zip(ours, theirs, arrays, strict=True):
            assert np.array_equal(mine, other) and np.array_equal(array, other)
    again.close()


@pytest.mark.parametrize("order", [(floats, encoded), (encoded, floats), (raw, floats), (floats, raw)])
def test_bytes_and_floats_in_one_database(tmp_path, order):
    kinds = [order[0]] * 3 + [order[1]] * 3 + [order[0]] * 3
    batches = written(layer(tmp_path, "crop_size: 20", [kind(n) for n, kind in enumerate(kinds)], TEST), 6)
    numbers = np.arange(24) % 9
    expected = np.stack([IMAGES[n][:, 2:22, 4:24] for n in numbers]).astype(np.float32)
    if encoded in order:
        expected = np.stack([
            (IMAGES[n][::-1] if kinds[n] is encoded else IMAGES[n])[:, 2:22, 4:24] for n in numbers
        ])  # fmt: skip
    assert np.array_equal(np.concatenate([data for data, _ in batches]), expected)
    assert np.concatenate([label for _, label in batches]).tolist() == numbers.tolist()


def test_memory_of_batches_read_ahead(tmp_path):
    shapes = [(4, 3, 24, 29), (4,)]
    images = 4 * 3 * 24 * 29
    assert layer(tmp_path, "", map(raw, range(9))).bytes_ahead(shapes) == 5 * (images + 16)
    assert layer(tmp_path, "", None, dtype=np.float64).bytes_ahead(shapes) == 5 * (8 * images + 32)
    mixing = layer(tmp_path, "mix_param { classes: 9 mixup_alpha: 1 }")
    assert mixing.bytes_ahead([shapes[0], (4, 9)]) == 5 * 4 * (images + 36)
    assert np.isfinite(written(mixing, 1)[0][0]).all()


def test_a_value_that_is_not_finite_is_found_behind_the_mean(tmp_path):
    made = layer(tmp_path, "scale: 3e38", map(raw, range(9)))
    made.next_batch()
    assert "record '00000000'" in (made.not_finite() or "")
    made.close()


def test_raw_records_that_cannot_be_augmented_are_named(tmp_path):
    text = "crop_size: 20 random_resize_param { min_size: 12 max_size: 40 }"
    made = layer(tmp_path, text, (raw(n % 9) for n in range(64)))
    with pytest.raises(DataError, match=r"db: record '000000\d\d': it comes out as \d+ x \d+: a crop of 20 x 20"):
        for _ in range(16):
            made.next_batch()
    made.close()


ORDERS = {
    "as written": lambda d: d.SerializeToString(),
    "label first": lambda d: Datum(label=d.label).SerializeToString() + Datum(data=d.data, encoded=True).SerializeToString(),
    "sizes in front": lambda d: Datum(channels=3, height=300, width=5).SerializeToString() + d.SerializeToString(),
    "label twice": lambda d: Datum(label=900).SerializeToString() + d.SerializeToString(),
    "label behind": lambda d: d.SerializeToString() + Datum(label=-7).SerializeToString(),
    "data twice": lambda d: Datum(data=b"\0").SerializeToString() + d.SerializeToString(),
    "data behind": lambda d: Datum(data=b"\0", encoded=True).SerializeToString() + Datum(data=d.data).SerializeToString(),
    "no label": lambda d: Datum(data=d.data, encoded=True).SerializeToString(),
    "an unknown field": lambda d: d.SerializeToString() + b"\x50\x01",
}  # fmt: skip


@pytest.mark.parametrize("order", ORDERS)
def test_a_datum_is_read_as_a_parser_reads_it(order):
    value = ORDERS[order](encoded(5))
    pixels, label = decode((b"k", value), AS_STORED)
    assert np.array_equal(pixels, IMAGES[5][::-1]) and label == Datum.FromString(value).label


@pytest.mark.parametrize("cut", [1, 2, 3, 5, 40, -1, -2, -3])
def test_a_datum_that_is_cut_is_an_error(cut):
    with pytest.raises(DataError, match="record 'k'"):
        decode((b"k", encoded(5).SerializeToString()[:cut]), AS_STORED)

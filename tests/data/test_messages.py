"""Messages of data layers about fields that stand in another layer's message, and images that do not go together."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brew.data.databases.lmdb_writer import write_lmdb
from brew.errors import BrewError, DataError, NetError
from brew.layer import TEST
from brew.net.net import Net
from brew.proto.brew_pb2 import Datum, NetParameter
from brew.prototxt import parse

SECTIONS = {
    "Data": "data_param",
    "ImageData": "image_data_param",
    "HDF5Data": "hdf5_data_param",
    "WindowData": "window_data_param",
}
OTHERS = [(kind, other) for kind in SECTIONS for other in SECTIONS if kind != other]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def net(layer: str) -> Net:
    text = f'layer {{ name: "d" top: "data" top: "label" {layer} }}'
    return Net(parse(text, NetParameter, "net.prototxt"), TEST)


@pytest.mark.parametrize(("kind", "other"), OTHERS)
def test_the_message_of_another_layer(kind, other):
    crop = "transform_param { crop_size: 2 }" if kind == "WindowData" else ""
    with pytest.raises(BrewError) as caught:
        net(f'type: "{kind}" {SECTIONS[other]} {{ source: "x" batch_size: 4 }} {crop}')
    field = "source" if kind == "ImageData" else "batch_size"  # which is 1 where it is left out, as in Caffe
    assert caught.value.hint == f"{kind} reads {SECTIONS[kind]} {{ {field} }}, and it stands in {SECTIONS[other]}"


def test_no_batch_size_at_all():
    with pytest.raises(NetError, match="batch_size must be at least 1") as caught:
        net('type: "HDF5Data" hdf5_data_param { source: "x" }')
    assert caught.value.hint == "batch_size: 64, say"


def test_fields_of_data_param_that_image_data_passes_by(caplog):
    Image.new("RGB", (2, 2)).save("a.png")
    Path("list.txt").write_text("a.png 0\n")
    made = net('type: "ImageData" image_data_param { source: "list.txt" } data_param { batch_size: 8 prefetch: 1 }')
    made.close()
    assert "batch_size has no effect, as in Caffe; image_data_param.batch_size does it" in caplog.text
    assert "prefetch has" not in caplog.text


def encoded(mode: str, *size: int) -> Datum:
    stream = io.BytesIO()
    Image.new(mode, size or (6, 6)).save(stream, "PNG")
    return Datum(encoded=True, data=stream.getvalue(), label=0)


def raw(channels: int) -> Datum:
    return Datum(channels=channels, height=6, width=6, data=bytes(36 * channels), label=0)


def database(*datums: Datum) -> None:
    write_lmdb(Path("db"), ((b"%02d" % i, datum.SerializeToString()) for i, datum in enumerate(datums)))


DATA = 'type: "Data" data_param { source: "db" batch_size: 2 }'


@pytest.mark.parametrize(
    ("datums", "transform", "message"),
    [
        ([encoded("RGB"), encoded("L")], "", "record '01' has 1 channels, the batch begins with 3"),
        ([encoded("L"), encoded("RGB")], "", "record '01' has 3 channels, the batch begins with 1"),
        ([encoded("RGB"), encoded("RGBA")], "crop_size: 4", "record '01' has 4 channels, the batch begins with 3"),
        ([encoded("RGB"), encoded("L")], "mean_value: 1 mean_value: 2 mean_value: 3", "record '01' has 1 channels"),
        ([raw(3), raw(1)], "", "record '01' has 1 channels, the batch begins with 3"),
    ],
)
def test_grey_among_colour(datums, transform, message):
    database(*datums)
    made = net(f"{DATA} transform_param {{ {transform} }}")
    with pytest.raises(DataError, match=message) as caught:
        made.forward()
    made.close()
    assert "force_color: true" in str(caught.value.hint) and "batch_size: 1" not in str(caught.value.hint)


def test_grey_first_and_a_mean_of_three_values():
    database(encoded("L"), encoded("RGB"))
    with pytest.raises(NetError, match="3 values of mean_value for images of 1 channel") as caught:
        net(f"{DATA} transform_param {{ mean_value: 1 mean_value: 2 mean_value: 3 }}")
    assert "force_color: true" in str(caught.value.hint)


def test_force_color_helps():
    database(encoded("RGB"), encoded("L"))
    made = net(f"{DATA} transform_param {{ force_color: true }}")
    made.forward()
    assert made.blobs["data"].shape == (2, 3, 6, 6)
    made.close()


def test_images_of_other_sizes_are_another_thing():
    database(encoded("RGB"), encoded("RGB", 5, 7))
    made = net(DATA)
    with pytest.raises(DataError, match="record '01' is 3 x 7 x 5") as caught:
        made.forward()
    made.close()
    assert "crop_size" in str(caught.value.hint) and "force_color" not in str(caught.value.hint)


def test_items_of_memory_too():
    made = net('type: "MemoryData" memory_data_param { batch_size: 2 channels: 3 height: 6 width: 6 }')
    with pytest.raises(DataError, match="image 1 has 1 channels"):
        made.layers[0].add_mat_vector([np.zeros((6, 6, 3), np.uint8), np.zeros((6, 6), np.uint8)], [0, 0])

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from brew.errors import DataError, NetError
from brew.layer import TEST, TRAIN, Context
from brew.layer.registry import layer_class
from brew.net.net import Net
from brew.proto.brew_pb2 import LayerParameter, NetParameter
from brew.prototxt import parse


def save(path, value, height=4, width=6):
    Image.fromarray(np.full((height, width, 3), value, np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path):
    """Ten flat images whose value is their number; their label too."""
    (tmp_path / "images").mkdir()
    for i in range(10):
        save(tmp_path / f"images/{i}.png", i)
    (tmp_path / "list.txt").write_text("".join(f"{i}.png {i}\n" for i in range(10)))
    return tmp_path


def image_data(folder, fields="batch_size: 4", outside="", phase=TEST, seed=1):
    source = f'image_data_param {{ source: "list.txt" root_folder: "images/" {fields} }}'
    text = f'name: "d" type: "ImageData" top: "data" top: "label" {source} {outside}'
    document = parse(text, LayerParameter, "net.prototxt")
    context = Context(phase=phase, seed=seed, folder=folder, place=document.place)
    return layer_class("ImageData")(document.message, context)


def labels(layer, batches):
    """The labels of the coming batches in one row, each checked against its image."""
    found = []
    for _ in range(batches):
        data, label = layer.next_batch()
        assert np.array_equal(data, np.broadcast_to(label[:, None, None, None], data.shape))
        found += label.astype(int).tolist()
    return found


def test_in_the_order_of_the_list_over_the_end(folder):
    layer = image_data(folder)
    assert layer.infer_shapes([]) == [(4, 3, 4, 6), (4,)]
    assert labels(layer, 6) == [i % 10 for i in range(24)]
    layer.close()


def test_in_a_net(folder, device, monkeypatch):
    monkeypatch.chdir(folder)
    fields = 'source: "list.txt" root_folder: "images/" batch_size: 4 is_color: false'
    layer = f'name: "d" type: "ImageData" top: "data" top: "label" image_data_param {{ {fields} }}'
    net = Net(parse(f"layer {{ {layer} transform_param {{ scale: 2 }} }}", NetParameter).message, device=device)
    net.forward()
    net.forward()
    assert net.blobs["label"].data.tolist() == [4, 5, 6, 7]
    assert np.array_equal(net.blobs["data"].data, np.full((4, 1, 4, 6), 2) * np.arange(4, 8).reshape(4, 1, 1, 1))
    net.close()


def test_shuffle_takes_every_image_once_an_epoch(folder):
    order = labels(image_data(folder, "batch_size: 5 shuffle: true"), 8)
    epochs = [order[i : i + 10] for i in range(0, 40, 10)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4
    assert labels(image_data(folder, "batch_size: 5 shuffle: true", seed=2), 8) != order


def test_rand_skip_begins_within_the_first_lines(folder):
    starts = [labels(image_data(folder, "batch_size: 1 rand_skip: 3", seed=seed), 1)[0] for seed in range(12)]
    assert set(starts) == {0, 1, 2}
    first, *rest = labels(image_data(folder, "batch_size: 1 rand_skip: 8"), 12)
    assert rest == [(first + i) % 10 for i in range(1, 12)]


@pytest.mark.parametrize("fields", ["", "shuffle: true rand_skip: 4"])
def test_resume_is_exact(folder, fields):
    chance = "transform_param { crop_size: 3 mirror: true }"
    whole = image_data(folder, f"batch_size: 3 {fields}", chance, TRAIN)
    for _ in range(4):
        whole.next_batch()
    state = whole.state()
    resumed = image_data(folder, f"batch_size: 3 {fields}", chance, TRAIN, seed=99)
    resumed.restore(state)
    for _ in range(5):
        for came, expected in zip(resumed.next_batch(), whole.next_batch(), strict=True):
            assert np.array_equal(came, expected)
    whole.close()
    resumed.close()


def test_resizing(folder):
    save(folder / "images/3.png", 3, 40, 11)
    layer = image_data(folder, "batch_size: 10 new_height: 8 new_width: 5")
    assert layer.infer_shapes([]) == [(10, 3, 8, 5), (10,)]
    assert labels(layer, 1) == list(range(10))
    layer.close()


def test_a_size_beyond_memory_is_known_without_it(folder):
    layer = image_data(folder, "batch_size: 1 new_height: 2147483648 new_width: 4294967295")
    assert layer.infer_shapes([]) == [(1, 3, 1 << 31, (1 << 32) - 1), (1,)]


def test_images_of_different_sizes(folder):
    save(folder / "images/1.png", 1, 5, 7)
    layer = image_data(folder, "batch_size: 1")
    shapes = []
    for _ in range(3):
        shapes.append(layer.next_shapes()[0])
        layer.next_batch()
    assert shapes == [(1, 3, 4, 6), (1, 3, 5, 7), (1, 3, 4, 6)]
    layer.close()
    layer = image_data(folder)
    with pytest.raises(DataError, match=r"image .*1.png is 3 x 5 x 7, the batch begins with 3 x 4 x 6"):
        layer.next_batch()
    layer.close()


def missing(path):
    path.unlink()


def empty(path):
    path.write_bytes(b"")


def cut(path):
    path.write_bytes(path.read_bytes()[:50])


@pytest.mark.parametrize(("spoil", "what"), [(missing, "No such file"), (empty, "has no bytes"), (cut, "be decoded")])
def test_a_bad_image_is_placed_in_the_list(folder, spoil, what):
    spoil(folder / "images/5.png")
    layer = image_data(folder)
    layer.next_batch()
    with pytest.raises(DataError, match=rf"list.txt:6: image .*images/5.png .*{what}"):
        layer.next_batch()
    layer.close()


def test_what_is_wrong_is_placed(folder, caplog):
    for fields, what in (
        ("batch_size: 0", "batch_size must be at least 1"),
        ("new_height: 3", "new_height is 3 and new_width 0: both are needed"),
    ):
        with pytest.raises(NetError, match=rf'net.prototxt:1:\d+: layer "d" \(ImageData\): {what}'):
            image_data(folder, fields)
    with pytest.raises(NetError, match="new_height and new_width mix neighbours"):
        image_data(folder, "new_height: 3 new_width: 3", "transform_param { is_mask: true }")
    image_data(folder, outside="transform_param { force_gray: true }")
    assert "force_gray has no effect, as in Caffe; image_data_param.is_color" in caplog.text
    (folder / "list.txt").write_text("\n0.png 0\n1.png 3000000000\n")
    with pytest.raises(DataError, match=r"list.txt:3: .*3000000000 does not fit"):
        image_data(folder).infer_shapes([])
    (folder / "list.txt").write_text("\nnone.png 0\n")
    with pytest.raises(
        DataError, match=rf"list.txt:2: .*there is no images/none.png; looked .*{re.escape(str(folder))}"
    ):
        image_data(folder).infer_shapes([])
    (folder / "list.txt").write_text("\n")
    with pytest.raises(DataError, match=r"net.prototxt:1:\d+: .*names no image"):
        image_data(folder).infer_shapes([])
    image_data(folder, "mirror: true")
    assert 'layer "d": mirror has no effect, as in Caffe; transform_param.mirror does it' in caplog.text


def test_of_a_mask_with_a_palette_the_numbers_count(folder):
    labels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    picture = Image.fromarray(labels)
    picture.putpalette([channel for index in range(256) for channel in (255 - index, index // 2, 7)])
    picture.save(folder / "images" / "mask.png")
    Image.fromarray(np.zeros((3, 4, 3), np.uint8)).save(folder / "images" / "colours.png")
    (folder / "list.txt").write_text("\nmask.png 0\n")
    layer = image_data(folder, "batch_size: 1", "transform_param { is_mask: true }")
    assert layer.infer_shapes([])[0] == (1, 1, 3, 4)
    assert (layer.next_batch()[0][0, 0] == labels).all()
    (folder / "list.txt").write_text("\ncolours.png 0\n")
    with pytest.raises(DataError, match=r"list.txt:2: .*is a mask in colours \(mode RGB\)"):
        image_data(folder, "batch_size: 1", "transform_param { is_mask: true }").infer_shapes([])

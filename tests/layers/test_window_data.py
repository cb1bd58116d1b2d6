from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from brew.data.images.resize import resize
from brew.errors import DataError, NetError
from brew.layer import TRAIN, Context
from brew.layer.registry import layer_class
from brew.net.net import Net
from brew.proto.brew_pb2 import BlobProto, LayerParameter, NetParameter
from brew.prototxt import parse

PIXELS = np.stack([10 * np.arange(6)[:, None] + np.arange(8) + c * 60 for c in range(3)]).astype(np.uint8)  # BGR
WARPED = [[17, 19], [37, 39]]  # the means of 2 x 2 in x, y from 1 to 4: 16.5, 18.5, 36.5, 38.5
CHANNELS = np.arange(3).reshape(3, 1, 1) * 60


@pytest.fixture
def folder(tmp_path):
    """One image; an object of class 7 in its middle, background at its left upper corner."""
    (tmp_path / "images").mkdir()
    Image.fromarray(np.ascontiguousarray(PIXELS[::-1].transpose(1, 2, 0))).save(tmp_path / "images/a.png")
    (tmp_path / "windows.txt").write_text("# 0\na.png\n3\n6\n8\n2\n7 0.8 1 1 4 4\n7 0.2 0 0 1 1\n")
    return tmp_path


FIELDS = 'source: "windows.txt" root_folder: "images/"'


def window_data(folder, fields="batch_size: 4 fg_fraction: 0.5", transform="crop_size: 2", seed=1, name="w"):
    windows = f"window_data_param {{ {FIELDS} {fields} }} transform_param {{ {transform} }}"
    text = f'name: "{name}" type: "WindowData" top: "data" top: "label" {windows}'
    document = parse(text, LayerParameter, "net.prototxt")
    return layer_class("WindowData")(
        document.message, Context(phase=TRAIN, seed=seed, folder=folder, place=document.place)
    )


def batch(layer):
    data, label = (top.copy() for top in layer.next_batch())
    layer.close()
    return data, label.tolist()


def test_background_comes_first_and_is_class_0(folder):
    layer = window_data(folder)
    assert layer.infer_shapes([]) == [(4, 3, 2, 2), (4,)]
    data, label = batch(layer)
    assert label == [0, 0, 7, 7]
    assert np.array_equal(data[0], PIXELS[:, :2, :2])
    assert np.array_equal(data[2], WARPED + CHANNELS)
    assert np.array_equal(data[0], data[1])


@pytest.mark.parametrize(("size", "fraction", "objects"), [(4, 0.25, 1), (5, 0.5, 2), (3, 0.3, 0), (2, 1, 2)])
def test_the_share_of_objects_is_rounded_down(folder, size, fraction, objects):
    _, label = batch(window_data(folder, f"batch_size: {size} fg_fraction: {fraction}"))
    assert label == [0] * (size - objects) + [7] * objects


def test_in_a_net(folder, device, monkeypatch):
    monkeypatch.chdir(folder)
    param = f"window_data_param {{ {FIELDS} batch_size: 1 fg_fraction: 1 }} transform_param {{ crop_size: 2 }}"
    net = Net(
        parse(f'layer {{ name: "w" type: "WindowData" top: "x" top: "y" {param} }}', NetParameter).message,
        device=device,
    )
    net.forward()
    assert np.array_equal(net.blobs["x"].data[0], WARPED + CHANNELS)
    assert net.blobs["y"].data.tolist() == [7]
    net.close()


def test_context_outside_of_the_image_is_zero(folder):
    data, _ = batch(window_data(folder, "batch_size: 1 fg_fraction: 0 context_pad: 1", "crop_size: 4 mean_value: 9"))
    expected = np.zeros((3, 4, 4))
    expected[:, 1:, 1:] = resize(PIXELS[:, :4, :4], 3, 3) - 9.0
    assert np.array_equal(data[0], expected)


def test_mirrored_windows_are_turned_with_their_surroundings(folder):
    fields = "batch_size: 16 fg_fraction: 0 context_pad: 1"
    data, _ = batch(window_data(folder, fields, "crop_size: 4 mirror: true"))
    (plain, *_), _ = batch(window_data(folder, fields, "crop_size: 4"))
    turned = [np.array_equal(x, plain[..., ::-1]) for x in data]
    assert 0 < sum(turned) < 16
    assert all(t or np.array_equal(x, plain) for t, x in zip(turned, data, strict=True))


def test_square_keeps_proportions(folder):
    (folder / "windows.txt").write_text("# 0\na.png\n3\n6\n8\n1\n7 0.8 1 1 2 4\n")
    data, _ = batch(window_data(folder, 'batch_size: 1 fg_fraction: 1 crop_mode: "square"', "crop_size: 5"))
    assert np.array_equal(data[0], PIXELS[:, 1:6, 0:5])


def test_mean_and_scale(folder):
    object_only = "batch_size: 1 fg_fraction: 1"
    plain = np.float32(WARPED + CHANNELS)
    values = "mean_value: 1 mean_value: 2 mean_value: 3"
    data, _ = batch(window_data(folder, object_only, f"crop_size: 2 {values} scale: 0.5"))
    assert np.array_equal(data[0], (plain - np.float32([1, 2, 3]).reshape(3, 1, 1)) / 2)
    data, _ = batch(window_data(folder, f"{object_only} scale: 0.25", "crop_size: 2 scale: 0.5"))
    assert np.array_equal(data[0], plain / 4)
    mean = np.arange(48, dtype=np.float32).reshape(3, 4, 4)
    blob = BlobProto(num=1, channels=3, height=4, width=4, data=mean.reshape(-1))
    (folder / "mean.binaryproto").write_bytes(blob.SerializeToString())
    data, _ = batch(window_data(folder, object_only, 'crop_size: 2 mean_file: "mean.binaryproto"'))
    assert np.array_equal(data[0], plain - mean[:, 1:3, 1:3])
    with pytest.raises(NetError, match="a window of 6 x 6 is larger than the mean, 3 x 4 x 4"):
        window_data(folder, object_only, 'crop_size: 6 mean_file: "mean.binaryproto"')


def many(folder):
    """Twelve objects of one pixel, their class their place in the list."""
    lines = [f"{i + 1} 1 {i % 8} {i // 8} {i % 8} {i // 8}" for i in range(12)]
    (folder / "windows.txt").write_text("# 0\na.png\n3\n6\n8\n12\n" + "\n".join(lines))


def test_draws_are_keyed_by_seed_name_and_record(folder):
    many(folder)

    def drawn(**options):
        layer = window_data(folder, "batch_size: 40 fg_fraction: 1", "crop_size: 1", **options)
        data, label = batch(layer)
        assert data[:, 0, 0, 0].tolist() == [10 * ((i - 1) // 8) + (i - 1) % 8 for i in label]
        return label

    assert len(set(drawn())) > 8
    assert drawn() == drawn()
    assert drawn() != drawn(seed=2)
    assert drawn() != drawn(name="v")


def test_resume_is_exact(folder):
    many(folder)
    fields, transform = "batch_size: 3 fg_fraction: 1", "crop_size: 2 mirror: true"
    whole = window_data(folder, fields, transform)
    for _ in range(3):
        whole.next_batch()
    resumed = window_data(folder, fields, transform, seed=99)
    resumed.restore(whole.state())
    for _ in range(3):
        for came, expected in zip(resumed.next_batch(), whole.next_batch(), strict=True):
            assert np.array_equal(came, expected)
    whole.close()
    resumed.close()


def test_cached_files_are_read_once(folder):
    layer = window_data(folder, "batch_size: 1 cache_images: true")
    layer.next_batch()
    layer.close()
    (folder / "images/a.png").unlink()
    layer.next_batch()
    layer.close()


def test_a_bad_window_or_image_is_placed_in_the_file(folder):
    (folder / "windows.txt").write_text("# 0\na.png\n3\n6\n8\n1\n7 0.8 1 1 8 4\n")
    layer = window_data(folder, "batch_size: 1 fg_fraction: 1")
    with pytest.raises(DataError, match=r"windows.txt:7: .*the window 1 1 8 4 does not lie in its image of 8 x 6"):
        layer.next_batch()
    layer.close()
    (folder / "images/a.png").write_bytes(b"no image")
    layer = window_data(folder, "batch_size: 1 fg_fraction: 1")
    with pytest.raises(DataError, match=r"windows.txt:2: image .*a.png of 8 bytes is of no known format"):
        layer.next_batch()
    layer.close()


@pytest.mark.parametrize(
    ("fields", "transform", "what"),
    [
        ("", "crop_size: 2", "batch_size must be at least 1"),
        ("batch_size: 1", "", "crop_size is needed"),
        ("batch_size: 1 fg_fraction: 1.5", "crop_size: 2", "fg_fraction 1.5 is not in 0 to 1"),
        ('batch_size: 1 crop_mode: "wrap"', "crop_size: 2", 'crop_mode must be "warp" or "square", not "wrap"'),
        ("batch_size: 1 context_pad: 1", "crop_size: 2", "context_pad 1 on both sides leaves nothing"),
        ("batch_size: 1", "crop_size: 2 mean_value: 1 mean_value: 2", "the mean has 2 channels, windows have 3"),
    ],
)
def test_wrong_parameters_are_placed(folder, fields, transform, what):
    with pytest.raises(NetError, match=rf'net.prototxt:1:\d+: layer "w" \(WindowData\): .*{what}'):
        window_data(folder, fields, transform)


def test_nothing_to_draw_from(folder):
    with pytest.raises(DataError, match=r"net.prototxt:1:\d+: .*has no objects \(overlap of 0.9 or more\), a batch"):
        window_data(folder, "batch_size: 4 fg_threshold: 0.9").infer_shapes([])
    with pytest.raises(DataError, match=r"has no background \(overlap below 0.1\), a batch needs 3"):
        window_data(folder, "batch_size: 4 bg_threshold: 0.1").infer_shapes([])

from __future__ import annotations

import numpy as np
import pytest

from brew.errors import DataError, NetError, UsageError
from brew.layer import TRAIN, Context
from brew.layer.registry import layer_class
from brew.net.net import Net
from brew.proto.brew_pb2 import Datum, LayerParameter, NetParameter
from brew.prototxt import parse

random = np.random.default_rng(0)
IMAGES = random.integers(0, 256, (6, 3, 4, 5), np.uint8)
SIZES = "batch_size: 2 channels: 3 height: 4 width: 5"


def memory_data(fields=SIZES, outside="", phase=TRAIN, seed=1):
    text = f'name: "m" type: "MemoryData" top: "data" top: "label" memory_data_param {{ {fields} }} {outside}'
    document = parse(text, LayerParameter, "net.prototxt")
    return layer_class("MemoryData")(document.message, Context(phase=phase, seed=seed, place=document.place))


def test_in_a_net(device):
    layer = f'name: "m" type: "MemoryData" top: "data" top: "label" memory_data_param {{ {SIZES} }}'
    net = Net(parse(f"layer {{ {layer} }}", NetParameter).message, device=device)
    with pytest.raises(NetError, match=r'layer "m" \(MemoryData\): has no data yet .*set_input_arrays'):
        net.forward()
    net.set_input_arrays(IMAGES.astype(np.float32), np.arange(6, dtype=np.float32).reshape(6, 1, 1, 1))
    for start in (0, 2, 4, 0):
        net.forward()
        assert np.array_equal(net.blobs["data"].data, IMAGES[start : start + 2])
        assert net.blobs["label"].data.tolist() == [start, start + 1]
    net.set_input_arrays(IMAGES[:2], [7, 8])
    net.forward()
    assert net.blobs["label"].data.tolist() == [7, 8]


def test_a_net_without_the_layer_says_so():
    net = Net(parse('layer { name: "d" type: "Input" top: "x" }', NetParameter).message)
    with pytest.raises(UsageError, match="no MemoryData layer"):
        net.set_input_arrays(IMAGES, range(6))


def test_arrays_of_the_nets_type_are_not_copied():
    layer = memory_data()
    data = IMAGES.astype(np.float32)
    layer.reset(data, np.zeros(6))
    data[...] = 3
    assert (layer.next_batch()[0] == 3).all()


@pytest.mark.parametrize(
    ("images", "labels", "what"),
    [
        (IMAGES[:3], range(3), "3 items; a multiple of batch_size, 2, is expected"),
        (IMAGES[:0], [], "0 items; a multiple"),
        (IMAGES, range(4), "4 labels for 6 items"),
        (IMAGES[:, :2], range(6), "data is 6 x 2 x 4 x 5; expected is n x 3 x 4 x 5"),
        (IMAGES[0], range(6), "data is 3 x 4 x 5; expected"),
    ],
)
def test_arrays_that_do_not_fit(images, labels, what):
    with pytest.raises(UsageError, match=rf'net.prototxt:1:\d+: layer "m" \(MemoryData\): {what}'):
        memory_data().reset(images, labels)


def test_sizes_must_be_given():
    with pytest.raises(NetError, match=r"net.prototxt:1:\d+: .*height must be at least 1"):
        memory_data("batch_size: 2 channels: 3 width: 5")


TRANSFORM = "transform_param { mean_value: 100 scale: 0.5 }"


def test_datums_are_transformed():
    layer = memory_data(outside=TRANSFORM)
    datums = [Datum(channels=3, height=4, width=5, data=x.tobytes(), label=i) for i, x in enumerate(IMAGES)]
    layer.add_datum_vector(datums)
    with pytest.raises(UsageError, match="added before have not been used yet"):
        layer.add_datum_vector(datums)
    for start in (0, 2, 4):
        data, label = layer.next_batch()
        assert np.array_equal(data, (IMAGES[start : start + 2] - np.float32(100)) / 2)
        assert label.tolist() == [start, start + 1]
    layer.add_datum_vector(datums[4:])
    assert layer.next_batch()[1].tolist() == [4, 5]
    with pytest.raises(DataError, match=r'layer "m" \(MemoryData\): .*no pixels'):
        layer.add_datum_vector([Datum(channels=3, height=4, width=5)] * 2)


def test_images_in_opencvs_order_are_transformed():
    layer = memory_data(outside=TRANSFORM)
    layer.add_mat_vector(list(IMAGES.transpose(0, 2, 3, 1)), range(6))
    assert np.array_equal(layer.next_batch()[0], (IMAGES[:2] - np.float32(100)) / 2)
    gray = memory_data("batch_size: 1 channels: 1 height: 4 width: 5")
    gray.add_mat_vector([IMAGES[0, 0]], [9])
    data, label = gray.next_batch()
    assert np.array_equal(data, IMAGES[:1, :1])
    assert label.tolist() == [9]
    with pytest.raises(UsageError, match="images come out as 3 x 4 x 5; expected is 1 x 4 x 5"):
        gray.add_mat_vector([IMAGES[0].transpose(1, 2, 0)], [9])


def test_a_crop_is_drawn_anew_for_what_is_added():
    layer = memory_data("batch_size: 6 channels: 3 height: 2 width: 2", "transform_param { crop_size: 2 }")
    batches = []
    for _ in range(2):
        layer.add_mat_vector(list(IMAGES.transpose(0, 2, 3, 1)), range(6))
        batches.append(layer.next_batch()[0])
    assert not np.array_equal(*batches)


def test_a_resume_goes_on_in_the_data():
    layer = memory_data()
    layer.reset(IMAGES, range(6))
    for _ in range(4):
        layer.next_batch()
    resumed = memory_data()
    resumed.restore(layer.state())
    resumed.reset(IMAGES, range(6))
    assert resumed.next_batch()[1].tolist() == layer.next_batch()[1].tolist() == [2, 3]
    resumed.reset(IMAGES, range(6))
    assert resumed.next_batch()[1].tolist() == [0, 1]

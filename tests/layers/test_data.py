from __future__ import annotations

import io
import shutil

import numpy as np
import pytest
from PIL import Image

from brew.cpu import threads
from brew.data import record_source
from brew.data.databases.lmdb_writer import write_lmdb
from brew.data.databases.opening import open_database
from brew.data.images import jpeg
from brew.errors import BrewError, DataError, NetError
from brew.layer import TEST, TRAIN, Context
from brew.layer.registry import layer_class
from brew.net.net import Net
from brew.proto.brew_pb2 import Datum, LayerParameter, NetParameter
from brew.prototxt import parse

random = np.random.default_rng(0)
IMAGES = random.integers(0, 256, (10, 1, 6, 5), np.uint8)


def write(folder, datums):
    write_lmdb(folder, ((b"%08d" % i, d.SerializeToString()) for i, d in enumerate(datums)))


@pytest.fixture
def folder(tmp_path):
    """Ten images, their labels their numbers."""
    write(
        tmp_path / "db",
        [Datum(channels=1, height=6, width=5, data=x.tobytes(), label=i) for i, x in enumerate(IMAGES)],
    )
    return tmp_path


def data(folder, fields="batch_size: 4", outside="", phase=TEST, tops=("data", "label"), seed=1):
    names = " ".join(f'top: "{t}"' for t in tops)
    source = f'data_param {{ source: "db" backend: LMDB {fields} }}'
    text = f'name: "d" type: "Data" {names} {source} {outside}'
    document = parse(text, LayerParameter, "net.prototxt")
    context = Context(phase=phase, seed=seed, folder=folder, place=document.place)
    return layer_class("Data")(document.message, context)


def labels(layer, batches):
    return [layer.next_batch()[1].astype(int).tolist() for _ in range(batches)]


@pytest.mark.parametrize("prefetch", [0, 1, 4])
def test_batches_in_key_order_over_the_end(folder, prefetch):
    layer = data(folder, f"batch_size: 4 prefetch: {prefetch}")
    assert layer.infer_shapes([]) == [(4, 1, 6, 5), (4,)]
    for expected in ([0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 0, 1]):
        assert layer.next_shapes() == [(4, 1, 6, 5), (4,)]
        pixels, label = layer.next_batch()
        assert label.tolist() == expected
        assert np.array_equal(pixels, IMAGES[expected])
    layer.close()


def test_in_a_net(folder, device, monkeypatch):
    monkeypatch.chdir(folder)
    text = 'layer { name: "d" type: "Data" top: "data" top: "label" data_param { source: "db" batch_size: 3 } }'
    net = Net(parse(text, NetParameter).message, device=device)
    for start in (0, 3):
        net.forward()
        assert np.array_equal(net.blobs["data"].data, IMAGES[start : start + 3])
        assert net.blobs["label"].data.tolist() == [start, start + 1, start + 2]
    for layer in net.data_layers:
        layer.close()


def test_label_is_optional(folder):
    layer = data(folder, tops=["data"])
    assert layer.infer_shapes([]) == [(4, 1, 6, 5)]
    assert len(layer.next_batch()) == 1
    layer.close()


CHANCE = "transform_param { crop_size: 4 mirror: true }"


def test_resume_is_exact_whatever_was_read_ahead(folder):
    whole = data(folder, outside=CHANCE, phase=TRAIN)
    for _ in range(3):
        whole.next_batch()
    state = whole.state()
    assert (state.layer, state.record, state.seed) == ("d", 12, 1)
    expected = [[a.copy() for a in whole.next_batch()] for _ in range(3)]
    resumed = data(folder, outside=CHANCE, phase=TRAIN, seed=99)
    resumed.next_batch()
    resumed.restore(state)
    for batch in expected:
        for came, wanted in zip(resumed.next_batch(), batch, strict=True):
            assert np.array_equal(came, wanted)
    assert resumed.state().record == 24
    whole.close()
    resumed.close()


@pytest.fixture(params=["LMDB", "LEVELDB"])
def either(request, folder):
    """The ten images in a database of either kind."""
    if request.param == "LEVELDB":
        plyvel = pytest.importorskip("plyvel", reason="no wheel for this Python")
        source = open_database(folder / "db")
        items = list(source.scan(0))
        source.close()
        shutil.rmtree(folder / "db")
        database = plyvel.DB(str(folder / "db"), create_if_missing=True)
        for key, value in items:
            database.put(key, value)
        database.close()
    return folder


SHUFFLED = "batch_size: 1 shuffle: true"


@pytest.mark.parametrize("phase", [TRAIN, TEST])
def test_shuffle_takes_every_record_once_an_epoch(either, phase):
    layer = data(either, "batch_size: 4 shuffle: true", phase=phase)
    assert layer.infer_shapes([]) == [(4, 1, 6, 5), (4,)]
    order = []
    for _ in range(15):  # the batches 3, 5, 8, ... hold records of two epochs
        pixels, numbers = layer.next_batch()
        assert np.array_equal(pixels, IMAGES[numbers.astype(int)])
        order += numbers.astype(int).tolist()
    epochs = [order[i : i + 10] for i in range(0, 60, 10)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 6
    layer.close()


def test_the_order_follows_seed_and_layer_not_the_kind_of_database(either):
    def order(fields=SHUFFLED, seed=1):
        layer = data(either, fields, seed=seed)
        found = [number for batch in labels(layer, 20 // layer.batch_size) for number in batch]
        layer.close()
        return found

    assert order() == [8, 6, 1, 3, 5, 7, 9, 2, 4, 0, 2, 4, 6, 0, 5, 3, 8, 7, 1, 9]
    assert order() == order("batch_size: 5 shuffle: true") == order("batch_size: 5 prefetch: 0 shuffle: true")
    assert order() != order(seed=2)
    assert order("batch_size: 5 shuffle: false") == [*range(10), *range(10)]


@pytest.mark.parametrize("record", [0, 3, 10, 17, 34])
def test_a_shuffled_resume_is_exact_in_the_middle_of_an_epoch(either, record):
    whole, resumed = (data(either, SHUFFLED, CHANCE, TRAIN, seed=s) for s in (1, 99))
    for _ in range(record):
        whole.next_batch()
    resumed.next_batch()
    resumed.restore(whole.state())
    for _ in range(12):
        for came, wanted in zip(resumed.next_batch(), whole.next_batch(), strict=True):
            assert np.array_equal(came, wanted)
    whole.close()
    resumed.close()


def test_a_look_at_labels(either):
    layer = data(either)
    for most, values, whole in ((3, [0, 1, 2, 9], False), (10, list(range(10)), True), (99, list(range(10)), True)):
        sample = layer.labels(1, most)
        assert (sample.values.tolist(), sample.whole, sample.missing) == (values, whole, None)
        assert sample.name(len(values) - 1) == "record '00000009'"
    assert layer.labels(0, 3) is None


def test_skip_to_any_record(folder):
    layer = data(folder)
    for record, first in [(0, 0), (7, 7), (1003, 3)]:
        layer.skip_to(record)
        assert labels(layer, 1)[0][0] == first
        assert layer.state().record == record + 4
    layer.close()


def test_goes_on_after_close(folder):
    layer = data(folder)
    layer.next_batch()
    layer.close()
    assert labels(layer, 1) == [[4, 5, 6, 7]]
    layer.close()


def test_source_is_looked_up_from_the_working_directory_first(folder, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO", "brew")
    data(folder).infer_shapes([])
    assert "source: db is taken from" in caplog.text
    caplog.clear()
    monkeypatch.chdir(folder)
    data(tmp_path / "elsewhere").infer_shapes([])
    assert not caplog.records


def test_images_of_different_sizes(tmp_path):
    def png(height, width):
        stream = io.BytesIO()
        Image.fromarray(np.full((height, width, 3), height, np.uint8)).save(stream, "PNG")
        return Datum(encoded=True, data=stream.getvalue())

    write(tmp_path / "db", [png(6, 5), png(8, 9), png(6, 5)])
    layer = data(tmp_path, "batch_size: 1")
    shapes = []
    for _ in range(4):
        (shape, _) = layer.next_shapes()
        assert layer.next_batch()[0].shape == shape
        shapes.append(shape)
    assert shapes == [(1, 3, 6, 5), (1, 3, 8, 9), (1, 3, 6, 5), (1, 3, 6, 5)]
    layer.close()
    layer = data(tmp_path, "batch_size: 3", "transform_param { crop_size: 4 }")
    assert layer.next_batch()[0][:, 0, 0, 0].tolist() == [6, 8, 6]
    layer.close()
    layer = data(tmp_path, "batch_size: 3")
    with pytest.raises(DataError, match="record '00000001' is 3 x 8 x 9, the batch begins with 3 x 6 x 5"):
        layer.next_batch()
    layer.close()


def test_a_bad_record_is_named_when_its_turn_comes(tmp_path):
    good = Datum(channels=1, height=2, width=2, data=b"abcd")
    write(tmp_path / "db", [good, good, Datum(channels=1, height=2, width=2, data=b"abc")])
    layer = data(tmp_path, "batch_size: 2")
    layer.next_batch()
    with pytest.raises(DataError, match=r"net.prototxt:1:\d+: .*db: record '00000002': .* 4 values, and has 3"):
        layer.next_batch()
    layer.close()


@pytest.mark.parametrize(
    ("fields", "outside", "what"),
    [
        ("", "", "batch_size must be at least 1"),
        ("batch_size: 1", "transform_param { crop_size: 6 }", "a crop of 6 x 6 does not fit into images of 6 x 5"),
        ("batch_size: 1", "transform_param { mean_value: 1 mean_value: 2 }", "2 values of mean_value"),
    ],
)
def test_wrong_parameters_are_placed(folder, fields, outside, what):
    with pytest.raises(NetError, match=rf'net.prototxt:1:\d+: layer "d" \(Data\): {what}'):
        data(folder, fields, outside).infer_shapes([])


def test_missing_source_is_placed(tmp_path):
    with pytest.raises(BrewError, match=r'net.prototxt:1:\d+: layer "d" \(Data\): source: there is no db; looked'):
        data(tmp_path).infer_shapes([])


def test_an_examples_database_is_easily_had(tmp_path):
    document = 'name: "d" type: "Data" top: "x" data_param { source: "a/mnist_test_lmdb" batch_size: 1 }'
    layer = layer_class("Data")(parse(document, LayerParameter).message, Context(folder=tmp_path))
    with pytest.raises(DataError, match="brew data get mnist a"):
        layer.infer_shapes([])


def test_fields_that_do_nothing_are_told(folder, caplog):
    data(folder, "batch_size: 1 rand_skip: 3")
    assert 'layer "d": rand_skip has no effect, as in Caffe' in caplog.text


def encoded(folder, count=6, size=(20, 30), kind="JPEG"):
    """Images of noise in a format, their labels their numbers."""
    datums = []
    for i in range(count):
        stream = io.BytesIO()
        Image.fromarray(random.integers(0, 256, (*size, 3), np.uint8)).save(stream, kind)
        datums.append(Datum(data=stream.getvalue(), label=i, encoded=True))
    write(folder / "db", datums)
    return folder


@pytest.mark.parametrize("fields", ["cache_mib: 1", "cache_mib: 1 shuffle: true", "prefetch: 0 cache_mib: 1"])
def test_a_cache_changes_no_number_and_saves_decoding(tmp_path, fields, monkeypatch):
    outside, decoded = "transform_param { crop_size: 9 mirror: true mean_value: 3 }", []
    original = record_source.decode
    monkeypatch.setattr(
        record_source, "decode", lambda record, rule: decoded.append(record[0]) or original(record, rule)
    )
    plain, cached = (
        data(tmp_path, f"batch_size: 4 {more}", outside, TRAIN) for more in (fields.replace("cache_mib: 1", ""), fields)
    )
    encoded(tmp_path)
    batches = [[top.copy() for top in plain.next_batch()] for _ in range(9)]
    plain.close()
    decoded.clear()
    for number, batch in enumerate(batches):
        if number == 4:
            cached.restore(cached.state())
        for came, expected in zip(cached.next_batch(), batch, strict=True):
            assert np.array_equal(came, expected)
    cached.close()
    assert set(decoded) == {b"%08d" % i for i in range(6)}
    assert len(decoded) <= 8, "of 36; a record that is twice in a batch may meet two threads"


def test_what_would_hasten_it(tmp_path, monkeypatch):
    monkeypatch.setattr(jpeg, "library", lambda: None)
    encoded(tmp_path, size=(70, 90))
    layer = data(tmp_path, "batch_size: 2 shuffle: true", "transform_param { crop_size: 28 }")
    layer.infer_shapes([])
    assert layer.hastened_by()[:4] == [
        "data_param { cache_mib: 1 } keeps all images in memory",
        'pip install "brew-caffe[jpeg]" decodes JPEG at twice the speed',
        "images of 70 x 90 are more than a crop of 28 x 28 needs: 32 are enough",
        "transform_param { decode_at_least: 32 } decodes them smaller",
    ]
    assert layer.hastened_by()[-1].startswith("data_param { shuffle_window: 4096 }")
    shutil.rmtree(tmp_path / "db")
    encoded(tmp_path, size=(30, 30), kind="PNG")
    monkeypatch.setattr(threads, "decoders", lambda: 64)
    layer = data(tmp_path, "batch_size: 2 cache_mib: 10", "transform_param { crop_size: 28 }")
    layer.infer_shapes([])
    assert layer.hastened_by() == []


def test_a_window_needs_a_shuffle(folder):
    with pytest.raises(NetError, match=r"net.prototxt:\d.*shuffle_window is for shuffle: true"):
        data(folder, "batch_size: 2 shuffle_window: 8")
    layer = data(folder, "batch_size: 10 shuffle: true shuffle_window: 4")
    assert all(sorted(epoch) == list(range(10)) for epoch in labels(layer, 3))
    layer.close()

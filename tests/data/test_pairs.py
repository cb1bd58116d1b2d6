"""Data layers that belong together take the same records, crops and mirrors; where they cannot, a warning says so."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from brew.checks.files import check as check_file
from brew.checks.states import Options
from brew.data.databases.lmdb_writer import write_lmdb
from brew.errors import NetError
from brew.layer import TEST, TRAIN
from brew.net.net import Net
from brew.proto.brew_pb2 import Datum, NetParameter
from brew.prototxt import parse, read

FAULT = Path(__file__).parents[1] / "fixtures" / "faults" / "48" / "net.prototxt"
CHANCE = "transform_param { crop_size: 4 mirror: true }"
RECORDS = 20


def pixels(number: int, size: int = 6) -> np.ndarray:
    """An image that tells its number and every one of its places."""
    return (np.arange(size * size).reshape(1, size, size) + 5 * number).astype(np.uint8)


def lmdb(name: str, records: int = RECORDS, size: int = 6) -> None:
    datums = [Datum(channels=1, height=size, width=size, data=pixels(i, size).tobytes()) for i in range(records)]
    write_lmdb(Path(name), ((b"%08d" % i, datum.SerializeToString()) for i, datum in enumerate(datums)))


def images(name: str, records: int = RECORDS) -> None:
    Path(name).mkdir()
    for i in range(records):
        Image.fromarray(pixels(i)[0]).save(f"{name}/{i}.png")
    Path(f"{name}.txt").write_text("".join(f"{name}/{i}.png {i}\n" for i in range(records)))


def hdf5(name: str, rows: tuple[int, ...] = (12, 8)) -> None:
    start = 0
    for number, count in enumerate(rows):
        with h5py.File(f"{name}{number}.h5", "w") as h5:
            h5[name] = np.arange(start, start + count)
        start += count
    Path(f"{name}.txt").write_text("".join(f"{name}{number}.h5\n" for number in range(len(rows))))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with sources of 20 records each: databases a, b and c, lists i and j, HDF5 h and k."""
    monkeypatch.chdir(tmp_path)
    for name in "abc":
        lmdb(name)
    for name in "ij":
        images(name)
    for name in "hk":
        hdf5(name)
    return tmp_path


def data(name: str, fields: str = "shuffle: true", chance: str = CHANCE, *, source: str = "", batch: int = 6,
         more: str = "") -> str:  # fmt: skip
    """A layer of the kind that its name says, of one top."""
    kind, section, file, top = {
        "a": ("Data", "data_param", name, ""), "b": ("Data", "data_param", name, ""),
        "c": ("Data", "data_param", name, ""), "i": ("ImageData", "image_data_param", f"{name}.txt", f"n{name}"),
        "j": ("ImageData", "image_data_param", f"{name}.txt", f"n{name}"),
        "h": ("HDF5Data", "hdf5_data_param", f"{name}.txt", ""),
        "k": ("HDF5Data", "hdf5_data_param", f"{name}.txt", ""),
    }[name[0]]  # fmt: skip
    if kind == "ImageData":
        fields += " is_color: false"
    label = f'top: "{top}"' if top else ""
    given = f'{section} {{ source: "{source or file}" batch_size: {batch} {fields} }}'
    return f'layer {{ name: "{name}" type: "{kind}" top: "{name}" {label} {given} {chance} {more} }}\n'


def batches(text: str, count: int, phase: int = TRAIN, seed: int = 7) -> list[list[np.ndarray]]:
    """The first batches of each blob of a net but those of labels."""
    net = Net(parse(text, NetParameter).message, phase, seed=seed)
    found = []
    for _ in range(count):
        net.forward()
        found.append([net.blobs[name].data.copy() for name in net.blobs if name[0] != "n"])
    net.close()
    return found


def match(text: str, phase: int = TRAIN) -> bool:
    """Whether all layers bring the same, over the ends of epochs."""
    return all(np.array_equal(tops[0], top) for tops in batches(text, 12, phase) for top in tops[1:])


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """The warnings since it was asked last."""
    caplog.set_level(logging.WARNING, "brew")

    def take() -> list[str]:
        found = [record.getMessage() for record in caplog.records]
        caplog.clear()
        return found

    return take


@pytest.mark.parametrize("phase", [TRAIN, TEST])
@pytest.mark.parametrize("chance", [CHANCE, "transform_param { mirror: true }", "transform_param { crop_size: 3 }", ""])
@pytest.mark.parametrize("fields", ["shuffle: true", ""])
@pytest.mark.parametrize("names", ["ab", "abc", "ij", "ai", "iba"])
def test_by_themselves(here: Path, told: Callable[[], list[str]], names: str, fields: str, chance: str, phase: int):
    assert match("".join(data(name, fields, chance) for name in names), phase)
    assert told() == []


@pytest.mark.parametrize("fields", ["shuffle: true", "shuffle: false"])
def test_rows_of_hdf5(here: Path, fields: str):
    assert match("".join(data(name, fields, "") for name in "hk"))


def test_lists_that_begin_anywhere(here: Path):
    fields = "rand_skip: 15 shuffle: true"
    assert all(
        np.array_equal(*tops)
        for seed in range(6)
        for tops in batches(data("i", fields) + data("j", fields), 4, seed=seed)
    )


def test_the_first_draws_what_it_draws_alone(here: Path):
    pair, alone = batches(data("a") + data("b"), 8), batches(data("a"), 8)
    for (a, _), (only,) in zip(pair, alone, strict=True):
        np.testing.assert_array_equal(a, only)


@pytest.mark.parametrize(
    "text",
    [
        data("a") + data("b", more='draws_with: "b"'),
        data("a", more='draws_with: "a"') + data("b"),
        data("a", "") + data("b", "", more='draws_with: "b"'),
    ],
)
def test_those_that_say_they_do_not_belong_together(here: Path, told: Callable[[], list[str]], text: str):
    assert not match(text)
    assert told() == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (data("a") + data("b", ""), "the first come shuffled, the others in order"),
        (data("a", chance="") + data("h", chance=""), "the others shuffled within files of 12, 8 rows"),
        (data("i", "rand_skip: 5") + data("j", ""), "in order after up to 4 others, the others in order"),
        (data("a") + data("b", source="a"), "20 records, the same: each comes in an order of its own"),
        (data("a") + data("b", chance="transform_param { crop_size: 4 }"), '"a" mirrors images by chance and "b" does'),
        (data("a") + data("b", chance="transform_param { crop_size: 3 mirror: true }"), '"b" 3 of 6 x 6: pairs'),
        (data("a") + data("b", chance="transform_param { mirror: true }"), '"b" nothing: pairs no longer match'),
        (data("a", "max_bad_records: 3") + data("b", ""), "passes over shifts all pairs"),
        (data("a", "max_bad_records: 3") + data("b", "", more='draws_with: "a"'), "passes over shifts all pairs"),
    ],
)
def test_what_takes_pairs_apart_is_told(here: Path, told: Callable[[], list[str]], text: str, message: str):
    Net(parse(text, NetParameter).message, TRAIN).close()
    [warning] = told()
    assert message in warning
    silence = 'layer { name: "s" type: "Silence" bottom: "' + text.split('top: "')[1][0] + '" }'
    Path("net.prototxt").write_text("state { phase: TRAIN }" + text + silence)
    [finding] = [f for f in check_file("net.prototxt", Options()) if f.code == "B228"]
    assert message in finding.message and finding.place.line == 2


def test_images_of_other_sizes_are_told(here: Path, told: Callable[[], list[str]]):
    lmdb("b6", size=5)
    Net(parse(data("a") + data("b6"), NetParameter).message, TRAIN).close()
    assert "crops 4 of 6 x 6 at random" in told()[0]
    Net(parse(data("a") + data("b6"), NetParameter).message, TEST).close()  # the middle is taken
    assert told() == []


@pytest.mark.parametrize(
    "other",
    [
        data("b7", batch=6),  # of another length
        data("b", batch=5),
        'layer { name: "d" type: "DummyData" top: "d" dummy_data_param { shape { dim: 6 } } }',
    ],
)
def test_sources_that_have_nothing_to_do_with_one_another(here: Path, told: Callable[[], list[str]], other: str):
    lmdb("b7", records=19)
    alone = batches(other, 6)
    for (_, came), (only,) in zip(batches(data("a") + other, 6), alone, strict=True) if "Dummy" not in other else ():
        np.testing.assert_array_equal(came, only)
    Net(parse(data("a") + other, NetParameter).message, TRAIN).close()
    assert told() == []


def test_two_views_of_one_source(here: Path, told: Callable[[], list[str]]):
    views = data("a", "") + data("b", "", source="a")
    assert not match(views)  # they are meant to differ
    assert match(data("a", "") + data("b", "", source="a", more='draws_with: "a"'))
    assert match(data("a") + data("b", source="a", more='draws_with: "a"'))
    assert told() == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (data("a", more='draws_with: "x"') + data("b"), 'draws_with names "x", and no data layer of the net is called'),
        (data("a", more='draws_with: "b"') + data("b", more='draws_with: "a"'), "draws_with goes round in a circle"),
        (data("a") + data("b7", more='draws_with: "a"'), "this layer has 19 records, a has 20"),
        (data("a") + data("b", batch=5, more='draws_with: "a"'), "has 5 records a batch, a has 6"),
        (data("a") + data("b", "", more='draws_with: "a"'), "has records in order, a has it shuffled"),
        (
            data("a") + 'layer { name: "r" type: "Dropout" bottom: "a" top: "r" draws_with: "a" }',
            "draws_with is for layers that read data",
        ),
    ],
)
def test_a_draws_with_that_cannot_be(here: Path, text: str, message: str):
    lmdb("b7", records=19)
    with pytest.raises(NetError, match=message) as caught:
        Net(parse(text, NetParameter, "net.prototxt"), TRAIN)
    assert caught.value.place is not None and caught.value.place.line == (1 if 'x"' in text else 2)
    Path("net.prototxt").write_text(text)
    assert any(message in f.message and f.severity == "error" for f in check_file("net.prototxt", Options()))


@pytest.mark.parametrize("names", ["ab", "ij", "hk", "ia"])
def test_a_resume_keeps_pairs(here: Path, names: str):
    chance = "" if "h" in names else CHANCE
    text = "".join(data(name, chance=chance) for name in names)
    nets = [Net(parse(text, NetParameter).message, TRAIN, seed=seed) for seed in (1, 99)]
    for _ in range(5):
        nets[0].forward()
    for old, new in zip(nets[0].data_layers, nets[1].data_layers, strict=True):
        new.restore(old.state())
    for _ in range(6):
        for net in nets:
            net.forward()
        tops = [net.blobs[name].data for net, name in itertools.product(nets, names)]
        assert all(np.array_equal(tops[0], top) for top in tops[1:])
    for net in nets:
        net.close()


def test_memory_and_windows_draw_with_another(here: Path):
    memory = "memory_data_param { batch_size: 6 channels: 1 height: 4 width: 4 } " + CHANCE
    names = 'top: "a" top: "na"', 'top: "b" top: "nb"'
    text = (
        f'layer {{ name: "a" type: "MemoryData" {names[0]} {memory} }}'
        f'layer {{ name: "b" type: "MemoryData" {names[1]} {memory} draws_with: "a" }}'
    )
    net = Net(parse(text, NetParameter).message, TRAIN, seed=3)
    for layer in net.data_layers:
        layer.add_mat_vector([pixels(i)[0] for i in range(6)], range(6))
    net.forward()
    np.testing.assert_array_equal(net.blobs["a"].data, net.blobs["b"].data)
    Path("w.txt").write_text(
        "# 0\ni/1.png\n1\n6\n6\n9\n" + "".join(f"1 0.{6 + i % 3} {i % 3} 0 5 5\n" for i in range(9))
    )
    window = 'window_data_param { source: "w.txt" batch_size: 6 fg_fraction: 1 } ' + CHANCE
    text = (
        f'layer {{ name: "a" type: "WindowData" {names[0]} {window} }}'
        f'layer {{ name: "b" type: "WindowData" {names[1]} {window} draws_with: "a" }}'
    )
    assert match(text)
    assert not match(text.replace('draws_with: "a"', ""))


def test_the_net_whose_images_and_labels_were_parted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("48").mkdir()
    lmdb("48/img")
    lmdb("48/lab")
    net = Net(read(FAULT, NetParameter), TRAIN, seed=1)
    for _ in range(6):
        net.forward()
        np.testing.assert_array_equal(net.blobs["image"].data, net.blobs["label"].data)
    assert net.blobs["image"].data[0, 0, 0, 0] != 5 * (5 * 8 % 20)  # in an order of chance
    net.close()

"""`brew data show`: tables, and sheets whose sizes, colours and words are looked up."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from google.protobuf import text_format
from PIL import Image

from brew.data.databases.lmdb_writer import write_lmdb
from brew.datasets.annotated import annotated_datum
from brew.datasets.geometry import placement
from brew.datasets.sources.items import Box
from brew.proto.brew_pb2 import AnnotatedDatum, Datum, NetParameter, NormalizedBBox
from brew.reports.sheets.colours import class_colour

Run = Callable[..., "object"]


def solid(colour: tuple[int, int, int], size: int = 32) -> np.ndarray:
    """(3, size, size), BGR of an RGB colour."""
    return np.broadcast_to(np.array(colour[::-1], np.uint8)[:, None, None], (3, size, size))


def datum(pixels: np.ndarray, label: int | None = None) -> Datum:
    channels, height, width = pixels.shape
    made = Datum(channels=channels, height=height, width=width, data=pixels.tobytes())
    if label is not None:
        made.label = label
    return made


RED, GREEN, BLUE = (200, 20, 30), (20, 180, 40), (10, 40, 220)


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six records of three colours, each its class."""
    monkeypatch.chdir(tmp_path)
    colours = RED, GREEN, BLUE
    records = [(b"%08d_%d.png" % (i, i), datum(solid(colours[i % 3]), i % 3).SerializeToString()) for i in range(6)]
    write_lmdb(tmp_path / "train_lmdb", records)
    (tmp_path / "train_lmdb" / "labels.txt").write_text("red\ngreen\nblue <b>\n")
    return tmp_path / "train_lmdb"


def count_of(path: Path, colour: tuple[int, int, int]) -> int:
    """Pixels of a PNG file that are of this colour."""
    with Image.open(path) as image:
        return int((np.asarray(image.convert("RGB")) == colour).all(axis=2).sum())


def test_a_table_names_classes(brew_run: Run, database: Path) -> None:
    outcome = brew_run("data", "show", "train_lmdb", "--count", "4")
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    assert lines[0] == "train_lmdb: LMDB, 6 records, 3 classes; 4 of them:"
    assert len(lines) == 4 + 4
    assert re.search(r"00000001_1\.png +1 green +3 x 32 x 32 +raw", outcome.out)


def test_a_class_is_chosen_by_name_or_number(brew_run: Run, database: Path) -> None:
    by_name = brew_run("data", "show", "train_lmdb", "--label", "green").out
    assert by_name == brew_run("data", "show", "train_lmdb", "--label", "1").out
    assert [line[:8] for line in by_name.splitlines()[4:]] == ["00000001", "00000004"]
    wrong = brew_run("data", "show", "train_lmdb", "--label", "gren")
    assert wrong.code == 2 and '"green"' in wrong.err
    assert "no record" in brew_run("data", "show", "train_lmdb", "--label", "7").err


def test_records_by_chance_depend_on_the_seed_alone(brew_run: Run, database: Path) -> None:
    shown = {seed: brew_run("data", "show", "train_lmdb", "--count", "3", "--seed", seed).out for seed in "123"}
    assert len(set(shown.values())) > 1
    assert shown["1"] == brew_run("data", "show", "train_lmdb", "--count", "3", "--seed", "1").out


def test_a_png_has_the_pictures_in_their_colours(brew_run: Run, database: Path) -> None:
    outcome = brew_run("data", "show", "train_lmdb", "--out", "sheet.png", "--side", "64")
    assert (outcome.code, outcome.out) == (0, "sheet.png\n"), outcome.err
    for colour in (RED, GREEN, BLUE):
        assert count_of(Path("sheet.png"), colour) == 2 * 128 * 128  # two pictures, two pixels for one
    assert brew_run("data", "show", "train_lmdb", "--out", "sheet.png").code == 0  # our own is replaced


def test_files_of_others_are_not_replaced(brew_run: Run, database: Path) -> None:
    Image.new("RGB", (4, 4)).save("photo.png")
    Path("text.svg").write_text("mine")
    assert brew_run("data", "show", "train_lmdb", "--out", "photo.png").code == 7
    assert brew_run("data", "show", "train_lmdb", "--out", "text.svg", "--overwrite").code == 7
    assert Path("text.svg").read_text() == "mine"
    assert brew_run("data", "show", "train_lmdb", "--out", "photo.png", "--overwrite").code == 0
    assert brew_run("data", "show", "train_lmdb", "--out", "sheet.bmp").code == 2


def test_an_svg_and_a_page_hold_all_in_themselves(brew_run: Run, database: Path) -> None:
    for name in ("sheet.svg", "sheet.html"):
        assert brew_run("data", "show", "train_lmdb", "--out", name).code == 0
        text = Path(name).read_text()
        assert text.count("data:image/png;base64,") == 6
        assert "blue &lt;b&gt;" in text and "<b>blue" not in text
        assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text) == []
        assert class_colour(1) in text
    assert len(re.findall(r"<figure data-n=\"\d\" data-label=\"1\"", text)) == 2
    assert '<option value="1">green (2)</option>' in text


def test_boxes_are_drawn_where_they_are(brew_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    boxes = [Box(1, 10, 20, 60, 90), Box(2, 50, 0, 100, 50)]
    record = annotated_datum(datum(solid((255, 255, 255), 100)), boxes, placement((100, 100), None, "warp"))
    write_lmdb(tmp_path / "boxes_lmdb", [(b"00000000", record.SerializeToString())])
    assert "2 boxes" in brew_run("data", "show", "boxes_lmdb").out
    outcome = brew_run("data", "show", "boxes_lmdb", "--out", "boxes.svg", "--side", "100")
    assert outcome.code == 0, outcome.err
    text = Path("boxes.svg").read_text()
    first, second = class_colour(1), class_colour(2)
    assert f'<rect x="10.0" y="20.0" width="50.0" height="70.0" fill="none" stroke="{first}"' in text
    assert f'<rect x="50.0" y="0.0" width="50.0" height="50.0" fill="none" stroke="{second}"' in text
    assert brew_run("data", "show", "boxes_lmdb", "--label", "2").code == 0
    assert brew_run("data", "show", "boxes_lmdb", "--label", "3").code == 2


def test_a_box_whose_side_is_no_number_is_not_drawn(
    brew_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    record = AnnotatedDatum(datum=datum(solid(RED)))
    record.annotation_group.add(group_label=1).annotation.add().bbox.CopyFrom(
        NormalizedBBox(xmin=math.nan, ymin=0, xmax=1, ymax=math.inf)
    )
    write_lmdb(tmp_path / "db", [(b"0", record.SerializeToString())])
    assert brew_run("data", "show", "db", "--out", "s.png").code == 0
    assert count_of(tmp_path / "s.png", RED) > 1000


def test_names_with_control_characters_leave_an_svg_whole(brew_run: Run, database: Path) -> None:
    write_lmdb(database.with_name("odd"), [(b"a\n\x01<script>", datum(solid(RED), 0).SerializeToString())])
    (database.with_name("odd") / "labels.txt").write_text("x\x01\x0c\u202e<script>\n")
    assert brew_run("data", "show", "odd", "--out", "s.svg").code == 0
    text = Path("s.svg").read_text()
    ElementTree.fromstring(text)
    assert "\u202e" not in text and "<script>" not in text


def test_masks_beside_a_database_are_laid_over_it(brew_run: Run, database: Path, tmp_path: Path) -> None:
    mask = np.zeros((1, 32, 32), np.uint8)
    mask[:, :, 16:] = 2
    keys = [b"%08d_%d.png" % (i, i) for i in range(6)]
    write_lmdb(tmp_path / "train_masks_lmdb", [(key, datum(mask).SerializeToString()) for key in keys])
    outcome = brew_run("data", "show", "train_lmdb", "--out", "sheet.png", "--side", "64", "--count", "3", "--first")
    assert outcome.code == 0, outcome.err
    colour = np.array([int(class_colour(2)[i : i + 2], 16) for i in (1, 3, 5)])
    mixed = tuple(np.rint(0.45 * np.array(RED) + 0.55 * colour).astype(int).tolist())
    with Image.open("sheet.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    assert (np.abs(pixels - mixed).max(axis=2) <= 1).sum() == 64 * 128
    assert count_of(Path("sheet.png"), RED) == 64 * 128


def test_values_beside_a_database_are_told(brew_run: Run, database: Path, tmp_path: Path) -> None:
    keys = [b"%08d_%d.png" % (i, i) for i in range(6)]
    values = [Datum(channels=2, height=1, width=1, float_data=[i, 0.5]).SerializeToString() for i in range(6)]
    write_lmdb(tmp_path / "train_targets_lmdb", zip(keys, values, strict=True))
    assert re.search(r"00000003_3\.png +0 red .* targets 3, 0\.5\n", brew_run("data", "show", "train_lmdb").out)
    assert brew_run("data", "show", "train_lmdb", "--out", "sheet.svg", "--side", "200").code == 0
    assert "red; targets 3, 0.5<" in Path("sheet.svg").read_text()


def test_an_hdf5_file_of_spectrograms_and_one_of_a_table(brew_run: Run, tmp_path: Path) -> None:
    sound, table = tmp_path / "sound.h5", tmp_path / "table.h5"
    with h5py.File(sound, "w") as file:
        planes = np.zeros((3, 1, 16, 16), np.float32)
        planes[:, :, :8] = 5
        file["data"], file["label"] = planes, np.arange(3, dtype=np.int32)
    with h5py.File(table, "w") as file:
        file["data"], file["label"] = np.eye(4, 6, dtype=np.float32), np.full((4, 2), 0.5, np.float32)
    out = tmp_path / "sound.png"
    assert brew_run("data", "show", str(sound), "--out", str(out), "--side", "64").code == 0
    for colour in ((253, 243, 165), (19, 18, 54)):  # the highest, the lowest
        assert count_of(out, colour) == 3 * 64 * 128
    shown = brew_run("data", "show", str(table)).out
    assert "HDF5, 4 records" in shown and "label 0.5, 0.5; 1, 0, 0, 0, 0, …" in shown
    assert brew_run("data", "show", str(table), "--out", str(tmp_path / "table.svg")).code == 0


NET = """
layer { name: "data" type: "Data" top: "data" top: "label"
  transform_param { %s } data_param { source: "train_lmdb" batch_size: 2 } }
"""


def test_a_net_shows_its_source_as_it_gets_it(brew_run: Run, database: Path) -> None:
    """Mean and scale are undone, the crop is seen; the values of the net are told."""
    text_format.Parse(NET % "crop_size: 16 mean_value: 100 scale: 0.5", NetParameter())
    Path("net.prototxt").write_text(NET % "crop_size: 16 mean_value: 100 scale: 0.5")
    for asked in (("net.prototxt",), ("train_lmdb", "--net", "net.prototxt")):
        outcome = brew_run("data", "show", *asked, "--out", "sheet.svg", "--draws", "3")
        assert outcome.code == 0, outcome.err
        text = Path("sheet.svg").read_text()
        assert text.count("<image ") == 6 * 4
        assert "as the net gets it: scale 0.5, crop_size 16, mean_value 100" in text
        assert "values from -45 to 60" in text
    outcome = brew_run("data", "show", "net.prototxt", "--out", "sheet.png", "--side", "64", "--count", "1", "--first")
    assert outcome.code == 0, outcome.err
    assert count_of(Path("sheet.png"), RED) == 128 * 128 + 4 * 64 * 64  # the crop is half as high and wide


def test_rows_of_hdf5_go_to_a_net_as_they_are(brew_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with h5py.File("x.h5", "w") as file:
        file["data"], file["label"] = np.zeros((3, 4), np.float32), np.zeros(3)
    Path("list.txt").write_text("x.h5\n")
    layer = 'name: "rows" type: "HDF5Data" top: "data" top: "label"'
    Path("net.prototxt").write_text(f'layer {{ {layer} hdf5_data_param {{ source: "list.txt" batch_size: 2 }} }}')
    outcome = brew_run("data", "show", "net.prototxt", "--out", "sheet.svg")
    assert outcome.code == 0, outcome.err
    text = Path("sheet.svg").read_text()
    assert text.count("<image ") == 3 and "the layer rows (HDF5Data) gives rows to the net as they are stored" in text


def test_a_mirror_is_seen_in_some_draws(brew_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    half = np.zeros((1, 16, 16), np.uint8)
    half[:, :, :8] = 255
    write_lmdb(tmp_path / "train_lmdb", [(b"00000000", datum(half, 0).SerializeToString())])
    Path("net.prototxt").write_text(NET % "mirror: true")
    assert brew_run("data", "show", "net.prototxt", "--out", "sheet.svg", "--draws", "12").code == 0
    stored, *drawn = re.findall(r'href="(data:[^"]+)"', Path("sheet.svg").read_text())
    assert len(drawn) == 12 and set(drawn) > {stored} and len(set(drawn)) == 2


def test_augmentation_is_seen_on_the_ground_that_the_net_gets(brew_run: Run, database: Path) -> None:
    """The canvas is the mean, and a lone record is not mixed."""
    expand = "expand_param { max_expand_ratio: 3 } resize_param { height: 16 width: 16 } mean_value: 200"
    Path("net.prototxt").write_text(NET % f"{expand} mix_param {{ mixup_alpha: 1 classes: 9 }}")
    options = ("--out", "sheet.png", "--side", "64", "--count", "1", "--first", "--draws", "6")
    outcome = brew_run("data", "show", "net.prototxt", *options)
    assert outcome.code == 0, outcome.err
    assert count_of(Path("sheet.png"), (200, 200, 200)) > 64 * 64


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["nothing_lmdb"], "nothing_lmdb"),
        (["train_lmdb", "--layer", "x"], "--net"),
        (["train_lmdb", "--net", "net.prototxt", "--layer", "dat"], 'no data layer "dat"'),
        (["train_lmdb/data.mdb"], "its folder is to be given"),
        (["empty"], "is no LMDB and no LevelDB; a database"),
        (["."], "it holds train_lmdb: give one of them"),
        (["photo.png"], "photo.png is a PNG image; a database"),
        (["void"], "void names no image"),
        (["gone.txt"], "there is no gone.h5"),
    ],
)
def test_mistakes_end_in_a_line(brew_run: Run, database: Path, asked: list[str], said: str) -> None:
    Path("net.prototxt").write_text(NET % "")
    Path("empty").mkdir()
    Path("void").touch()
    Path("gone.txt").write_text("gone.h5\n")
    Image.new("RGB", (4, 4)).save("photo.png")
    outcome = brew_run("data", "show", *asked, "--out", "sheet.png")
    assert outcome.code in (2, 3) and said in outcome.err, outcome.err
    assert not Path("sheet.png").exists()


def test_a_damaged_record_is_named(brew_run: Run, tmp_path: Path) -> None:
    write_lmdb(tmp_path / "bad_lmdb", [(b"00000000", Datum(data=b"no picture", encoded=True).SerializeToString())])
    outcome = brew_run("data", "show", str(tmp_path / "bad_lmdb"))
    assert outcome.code == 3 and "00000000" in outcome.err


def test_the_pictures_of_the_manual_can_be_drawn_again(tmp_path: Path) -> None:
    images = Path(__file__).parents[2] / "docs" / "images"
    environment = {**os.environ, "PYTHONPATH": str(images.parents[1])}
    subprocess.run([sys.executable, str(images / "sheets.py"), str(tmp_path)], check=True, env=environment)
    for name in ("sheet_net.png", "sheet_boxes.png"):
        with Image.open(images / name) as before, Image.open(tmp_path / name) as now:
            assert now.size == before.size
            difference = np.abs(np.asarray(now.convert("RGB"), int) - np.asarray(before.convert("RGB"), int))
            assert difference.mean() < 1

"""`brew data import` of boxes and masks, on small piles of files that the tests make."""

from __future__ import annotations

import io
import json
import re
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format
from PIL import Image

from brew.data.databases.opening import open_database
from brew.data.labels import label_names
from brew.proto.brew_pb2 import AnnotatedDatum, Datum, LabelMap

Run = Callable[..., Any]
WIDTH, HEIGHT = 8, 4


def png(path: Path, seed: int = 0, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def text(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def records(folder: Path) -> dict[str, bytes]:
    database = open_database(folder)
    try:
        return {key.decode()[9:]: value for key, value in database.scan(0)}
    finally:
        database.close()


def boxes(folder: Path) -> dict[str, list[tuple[int, int, float, float, float, float, bool]]]:
    """By picture: class, instance, corners in pixels and whether difficult, of each box."""
    found = {}
    for name, value in records(folder).items():
        record = AnnotatedDatum.FromString(value)
        assert record.type == AnnotatedDatum.BBOX and record.datum.label == -1 and record.datum.encoded
        found[name] = [
            (group.group_label, one.instance_id, one.bbox.xmin * WIDTH, one.bbox.ymin * HEIGHT,
             one.bbox.xmax * WIDTH, one.bbox.ymax * HEIGHT, one.bbox.difficult)
            for group in record.annotation_group for one in group.annotation
        ]  # fmt: skip
    return found


def imported(brew_run: Run, source: Path, out: Path, *options: str) -> str:
    outcome = brew_run("data", "import", str(source), str(out), *options)
    assert outcome.code == 0, outcome.err
    return str(outcome.out)


def told(error: str) -> str:
    """An error of the command line as one line, its place in front, and as it is."""
    match = re.match(r"error\[\w+\]: (.*)\n  --> (.*)", error)
    return f"{match[2]}: {match[1]}\n{error}" if match else error


def voc(
    objects: str, picture: str = "a.png", size: str = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height></size>"
) -> str:
    return f"<annotation><filename>{picture}</filename>{size}{objects}</annotation>"


def thing(name: str, *corners: object, more: str = "") -> str:
    sides = "".join(f"<{s}>{c}</{s}>" for s, c in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True))
    return f"<object><name>{name}</name><bndbox>{sides}</bndbox>{more}</object>\n"


@pytest.fixture
def devkit(tmp_path: Path) -> Path:
    """VOC's layout: four pictures, three of them in lists, one of those without an XML file."""
    root = tmp_path / "VOCdevkit" / "VOC2007"
    for seed, name in enumerate("abcd"):
        png(root / "JPEGImages" / f"{name}.png", seed)
    part = "<part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part>"
    text(
        root / "Annotations/a.xml",
        voc(thing("dog", 1, 1, 5, 3, more="<difficult>1</difficult>" + part) + thing("cat", 2, 2, 4, 4)),
    )
    text(
        root / "Annotations/b.xml", voc(thing("dog", 6, 1, 2, 3) + thing("dog", 4, 0, 12, 3) + thing("dog", 3, 3, 3, 4))
    )
    text(root / "Annotations/d.xml", voc(thing("dog", 1, 1, 2, 2)))
    text(root / "ImageSets/Main/train.txt", "a\nb\n")
    text(root / "ImageSets/Main/test.txt", "c\n")
    text(root / "ImageSets/Main/dog_train.txt", "a  1\nb -1\n")
    return tmp_path / "VOCdevkit"


def test_voc(brew_run: Run, devkit: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = imported(brew_run, devkit, out)
    assert label_names(out) == label_names(out / "train_lmdb") == ("background", "cat", "dog")
    folder = "VOC2007/JPEGImages/"
    assert boxes(out / "train_lmdb") == {
        folder + "a.png": [(2, 0, 1, 1, 5, 3, True), (1, 0, 2, 2, 4, 4, False)],
        folder + "b.png": [(2, 0, 2, 1, 6, 3, False), (2, 1, 4, 0, 8, 3, False)],
    }
    assert boxes(out / "test_lmdb") == {folder + "c.png": []}
    data = AnnotatedDatum.FromString(records(out / "train_lmdb")[folder + "a.png"]).datum
    assert data.data == (devkit / folder / "a.png").read_bytes() and (data.channels, data.height, data.width) == (
        3,
        4,
        8,
    )
    made = text_format.Parse((out / "labelmap.prototxt").read_text(), LabelMap())
    assert [(item.label, item.name) for item in made.item] == [(0, "none_of_the_above"), (1, "cat"), (2, "dog")]
    for note in (
        "boxes with their corners the other way round, turned: 1",
        "boxes that reach out of their pictures, cut to them: 1",
        "boxes without an area, left out: 1",
        "pictures in no list of ImageSets, left out: 1, in VOC2007/JPEGImages/d.png",
        "pictures without an XML file, taken as without objects: 1, in VOC2007/JPEGImages/c.png",
    ):
        assert note in said


def test_voc_counted_from_one_and_with_a_list_of_classes(brew_run: Run, devkit: Path, tmp_path: Path) -> None:
    names = text(tmp_path / "names", "zebra\ndog\n")
    said = imported(brew_run, devkit, tmp_path / "out", "--set", "origin=1", "--set", f"classes={names}")
    assert boxes(tmp_path / "out/train_lmdb")["VOC2007/JPEGImages/a.png"] == [(2, 0, 0, 0, 5, 3, True)]
    assert label_names(tmp_path / "out") == ("background", "zebra", "dog")
    assert 'objects of "cat", which is not in the list of classes, left out: 1' in said


def test_voc_in_the_tar_that_it_comes_in(brew_run: Run, devkit: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "voc.tar", "w") as archive:
        archive.add(devkit, "./VOCdevkit")
        link = tarfile.TarInfo("VOCdevkit/VOC2007/JPEGImages/link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    imported(brew_run, devkit.parent / "voc.tar", tmp_path / "packed")
    imported(brew_run, devkit, tmp_path / "plain")
    expected = {f"VOCdevkit/{name}": found for name, found in boxes(tmp_path / "plain/train_lmdb").items()}
    assert boxes(tmp_path / "packed/train_lmdb") == expected
    whole = (tmp_path / "voc.tar").read_bytes()
    (tmp_path / "voc.tar").write_bytes(whole[: len(whole) // 2 + 100])
    outcome = brew_run("data", "import", str(tmp_path / "voc.tar"), str(tmp_path / "cut"), "--kind", "voc")
    assert outcome.code == 3 and ("is no member: was the archive cut?" in outcome.err or "voc.tar" in outcome.err)


def test_boxes_follow_a_resize(brew_run: Run, devkit: Path, tmp_path: Path) -> None:
    imported(brew_run, devkit, tmp_path / "out", "--size", "8x8", "--resize", "pad")
    record = AnnotatedDatum.FromString(records(tmp_path / "out/train_lmdb")["VOC2007/JPEGImages/a.png"])
    [first] = record.annotation_group[0].annotation
    assert (first.bbox.xmin * 8, first.bbox.ymin * 8, first.bbox.xmax * 8, first.bbox.ymax * 8) == (1, 3, 5, 5)
    refused = brew_run("data", "import", str(devkit), str(tmp_path / "h5"), "--format", "hdf5", "--size", "8x8")
    assert refused.code == 2 and "HDF5 has no place for boxes" in refused.err


def test_xml_files_beside_pictures_in_an_archive(brew_run: Run, tmp_path: Path) -> None:
    """As tools write them: a box of fractions, no size, the picture by the name in the file, parts by folders."""
    picture = io.BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT)).save(picture, "PNG")
    with zipfile.ZipFile(tmp_path / "set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train/other.png", picture.getvalue())
        archive.writestr("train/1.xml", voc(thing("x", 0.5, "1.25", 4, 3), r"C:\pictures\other.png", ""))
        archive.writestr("val/2.png", picture.getvalue())
        archive.writestr("val/2.xml", voc(thing("x", 0, 0, 8, 4)))
        archive.writestr("../3.png", picture.getvalue())
    imported(brew_run, tmp_path / "set.zip", tmp_path / "out")
    assert boxes(tmp_path / "out/train_lmdb") == {"train/other.png": [(1, 0, 0.5, 1.25, 4, 3, False)]}
    assert boxes(tmp_path / "out/val_lmdb") == {"val/2.png": [(1, 0, 0, 0, 8, 4, False)]}


BOMB = '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;">]><annotation>&c;</annotation>'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (BOMB, "a.xml:1: this has a document type"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><annotation/>', "a document type"),
        ("<annotation>\n<object></annotation>", r"a.xml:2:\d+: this is no XML: mismatched tag"),
        ("<annotation>" + "<a>" * 100, "more than 64 elements in one another"),
        (voc(thing("dog", 1, "nan", 3, 4)), "an object has a box of 1, nan, 3, 4; four numbers of pixels are expected"),
        (
            voc("\n" + thing("dog", 1, "one", 3, 4)),
            r"a.xml:2: a box has xmin 1, ymin one, xmax 3, ymax 4; four numbers",
        ),
        (voc("<object><bndbox/></object>"), "an object has no <name>"),
        (voc("", "../../secret.png").replace("secret", "s"), "there is no picture of it"),
        (voc(thing("dog", 1, 1, "9e99", 4)), "four numbers of pixels"),
        ("", "this is no XML: no element found"),
        ("<?xml version='1.0' encoding='klingon'?><annotation/>", "this is no XML: unknown encoding"),
    ],
)
def test_a_broken_xml_file_is_one_item_that_cannot_be_read(
    brew_run: Run, tmp_path: Path, content: str, message: str
) -> None:
    for seed, name in enumerate("ab"):
        png(tmp_path / f"set/JPEGImages/{name}.png", seed)
    text(tmp_path / "set/Annotations/b.xml", voc(thing("dog", 1, 1, 3, 3), "b.png"))
    text(tmp_path / "set/Annotations/a.xml", content)
    if "no picture" in message:
        (tmp_path / "set/JPEGImages/a.png").unlink()
    outcome = brew_run("data", "import", str(tmp_path / "set"), str(tmp_path / "out"))
    assert outcome.code == 3 and "1 of 2 items cannot be imported: Annotations/a.xml" in outcome.err
    assert re.search(message, told(outcome.err)), outcome.err
    outcome = brew_run("data", "import", str(tmp_path / "set"), str(tmp_path / "out"), "--max-bad", "1")
    assert outcome.code == 0 and list(boxes(tmp_path / "out/train_lmdb")) == ["JPEGImages/b.png"]


def coco(path: Path, **changes: Any) -> Path:
    content = {
        "info": {"year": 2017},
        "images": [
            {"id": 7, "file_name": "a.png", "width": WIDTH, "height": HEIGHT},
            {"id": 9, "file_name": "é.png", "width": WIDTH, "height": HEIGHT},
        ],
        "annotations": [
            {"id": 1, "image_id": 9, "category_id": 18, "bbox": [1, 1, 4, 2], "iscrowd": 0,
             "segmentation": [[1, 1, 5, 1, 5, 3, 1, 3]]},
            {"id": 2, "image_id": 9, "category_id": 3, "bbox": [0, 0, 2, 2], "iscrowd": 1,
             "segmentation": {"size": [HEIGHT, WIDTH], "counts": [0, 2, 2, 2, 26]}},
        ],
        "categories": [{"id": 18, "name": "dog"}, {"id": 3, "name": "car"}],
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**content, **changes}, ensure_ascii=False, indent=1), "utf-8")
    return path


@pytest.fixture
def coco_set(tmp_path: Path) -> Path:
    root = tmp_path / "coco"
    png(root / "train2017/a.png", 0)
    png(root / "train2017/é.png", 1)
    coco(root / "annotations/instances_train2017.json")
    text(root / "annotations/captions_train2017.json", '{"images": [], "annotations": []}')
    return root


def test_coco(brew_run: Run, coco_set: Path, tmp_path: Path) -> None:
    said = imported(brew_run, coco_set, tmp_path / "out")
    assert boxes(tmp_path / "out/train_lmdb") == {
        "train2017/a.png": [],
        "train2017/é.png": [(2, 0, 1, 1, 5, 3, False), (1, 0, 0, 0, 2, 2, True)],
    }
    assert label_names(tmp_path / "out") == ("background", "car", "dog")
    assert "ids of categories became the numbers of classes: 3 -> 1, 18 -> 2" in said
    assert "files of other annotations than of objects, left out: 1, in annotations/captions_train2017.json" in said
    file = coco_set / "annotations/instances_train2017.json"
    imported(brew_run, file, tmp_path / "alone")
    assert boxes(tmp_path / "alone/train_lmdb") == boxes(tmp_path / "out/train_lmdb")


def test_coco_outlines_become_masks(brew_run: Run, coco_set: Path, tmp_path: Path) -> None:
    imported(brew_run, coco_set, tmp_path / "out", "--set", "masks=yes", "--raw")
    pictures, masks = records(tmp_path / "out/train_lmdb"), records(tmp_path / "out/train_masks_lmdb")
    assert list(pictures) == list(masks)
    datum = Datum.FromString(masks["train2017/é.png"])
    mask = np.frombuffer(datum.data, np.uint8).reshape(HEIGHT, WIDTH)
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    expected[1:3, 1:5] = 2
    expected[0:2, 0:2] = 255  # the crowd, drawn after it
    assert (mask == expected).all()
    assert Datum.FromString(pictures["train2017/é.png"]).channels == 3


def test_a_picture_in_two_coco_files_keeps_the_objects_of_both(brew_run: Run, coco_set: Path, tmp_path: Path) -> None:
    annotation = {"image_id": 9, "category_id": 3, "bbox": [6, 0, 2, 4], "segmentation": [[6, 0, 8, 0, 8, 4, 6, 4]]}
    image = {"id": 9, "file_name": "../train2017/é.png", "width": WIDTH, "height": HEIGHT}
    coco(coco_set / "annotations/instances_val2017.json", images=[image], annotations=[annotation])
    said = imported(brew_run, coco_set, tmp_path / "out", "--set", "masks=yes", "--raw")
    mask = Datum.FromString(records(tmp_path / "out/train_masks_lmdb")["train2017/é.png"]).data
    shown = np.frombuffer(mask, np.uint8).reshape(HEIGHT, WIDTH)
    assert (shown[:, 6:] == 1).all() and shown[1, 3] == 2 and shown[0, 0] == 255
    assert "pictures of train that val lists too, kept in train: 1" in said
    imported(brew_run, coco_set, tmp_path / "boxes")
    assert len(boxes(tmp_path / "boxes/train_lmdb")["train2017/é.png"]) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"annotations": [{"image_id": 7, "category_id": 3, "bbox": [1, 2, float("nan"), 1]}]}, r"json:\d+:\d+: an annotation has a box of"),
        ({"annotations": [{"image_id": 7, "category_id": 3, "bbox": [1, 2, 3]}]}, r'"bbox" is expected to be \[left, top, width, height\]'),
        ({"annotations": [{"image_id": 7, "category_id": 3, "bbox": [1, 2, 10**400, 3]}]}, "an annotation has a box of 1, 2, inf"),
        ({"annotations": [{"image_id": None, "category_id": 3, "bbox": [1, 2, 3, 1]}]}, '"image_id" is expected to be a number'),
        ({"annotations": {}}, '"annotations" is expected to be an array'),
        ({"annotations": [3]}, '"annotations" is expected to hold objects'),
        ({"images": []}, "lists no pictures"),
        ({"images": [{"id": 1, "file_name": "../../etc/passwd"}]}, "train2017.json lists \"../../etc/passwd\", which is in none of"),
        ({"images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "/etc/passwd"}]}, 'the picture "/etc/passwd" lies outside'),
        ({"images": [{"id": 1, "file_name": "a.png"}, {"id": 1, "file_name": "é.png"}]}, "two pictures have the id 1"),
        ({"images": [{"id": 1}]}, 'a picture has no "file_name"'),
        ({"categories": [{"id": 3}]}, 'a category has no "name"'),
        ({"images": [{"id": 1, "file_name": "missing.png"}]}, "--set images=FOLDER"),
    ],
)  # fmt: skip
def test_a_coco_file_that_cannot_be_used(
    brew_run: Run, coco_set: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    coco(coco_set / "annotations/instances_train2017.json", **changes)
    outcome = brew_run("data", "import", str(coco_set), str(tmp_path / "out"))
    assert outcome.code == 3 and re.search(message, told(outcome.err)), outcome.err
    assert "Traceback" not in outcome.err and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"images": [' + "[" * 100_000, "instances.json:1:13: this is nested too deep"),
        (
            '{"images": [\n{"id": 1, "file_name": "a.png"}\n {"id": 2}]}' + " " * 100,
            "instances.json:3:2: , or ] is expected",
        ),
        ('{"images": [{"id": 1, "file_name": "a.png"', r"instances.json:1:\d+: this is no JSON"),
        ('{"images": [], "x": ' + "9" * 5000 + "}", "this cannot be read: Exceeds the limit"),
        ('{"images": [{"id": 1, "file_name": "\xff"}]}', "this is no UTF-8"),
    ],
)
def test_json_that_is_none(brew_run: Run, tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "instances.json").write_bytes(content.encode("latin-1"))
    outcome = brew_run("data", "import", str(tmp_path / "instances.json"), str(tmp_path / "out"), "--kind", "coco")
    assert outcome.code == 3 and re.search(message, told(outcome.err)), outcome.err


def test_odd_annotations_of_coco_are_told(brew_run: Run, coco_set: Path, tmp_path: Path) -> None:
    box = {"image_id": 7, "category_id": 3, "bbox": [1, 1, 2, 2]}
    odd = [box, {**box, "image_id": 1}, {**box, "category_id": 99}, {**box, "bbox": []}, {**box, "bbox": [20, 1, 2, 2]},
           {**box, "bbox": [3, 3, -2, -2]}]  # fmt: skip
    coco(coco_set / "annotations/instances_train2017.json", annotations=odd)
    said = imported(brew_run, coco_set, tmp_path / "out")
    assert boxes(tmp_path / "out/train_lmdb")["train2017/a.png"] == [
        (1, 0, 1, 1, 3, 3, False),
        (1, 1, 1, 1, 3, 3, False),
    ]
    for note in (
        "annotations of pictures that are not listed, left out: 1",
        "annotations of categories that are not listed, left out: 1",
        "annotations without a box, left out: 1",
        "boxes outside of their pictures, left out: 1",
        "corners the other way round, turned: 1",
        "pictures without objects: 1, in é.png",
    ):
        assert note in said


@pytest.fixture
def yolo(tmp_path: Path) -> Path:
    root = tmp_path / "yolo"
    for seed, name in enumerate(("train/images/a", "train/images/b", "valid/images/c")):
        png(root / f"{name}.png", seed)
    text(root / "train/labels/a.txt", "1 0.5 0.5 0.5 0.5\n0 0.25 0.25 0.25 0.5\n")
    text(root / "train/labels/b.txt", "0 0 0 0.5 0 0.5 0.75 0 0.75\n2 1 1 0.5 0.5\n7 0.5 0.5 0.1 0.1\n")
    text(
        root / "data.yaml",
        "train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnc: 3\nnames: [cat, dog, 'no']\n",
    )
    return root


def test_yolo(brew_run: Run, yolo: Path, tmp_path: Path) -> None:
    said = imported(brew_run, yolo, tmp_path / "out")
    assert boxes(tmp_path / "out/train_lmdb") == {
        "train/images/a.png": [(2, 0, 2, 1, 6, 3, False), (1, 0, 1, 0, 3, 2, False)],
        "train/images/b.png": [(1, 0, 0, 0, 4, 3, False), (3, 0, 6, 3, 8, 4, False)],
    }
    assert boxes(tmp_path / "out/val_lmdb") == {"valid/images/c.png": []}
    assert label_names(tmp_path / "out") == ("background", "cat", "dog", "no")
    for note in (
        "entries of test in the settings that lead to no pictures: 1",
        "boxes that reach out of their pictures, cut to them: 1",
        "objects of classes beyond the 3 that are listed, left out: 1, in train/images/b.png",
        "pictures without a text file, taken as without objects: 1, in valid/images/c.png",
    ):
        assert note in said
    imported(brew_run, yolo / "data.yaml", tmp_path / "by_yaml")
    assert boxes(tmp_path / "by_yaml/train_lmdb") == boxes(tmp_path / "out/train_lmdb")


def test_yolo_with_one_folder_for_two_parts(brew_run: Run, yolo: Path, tmp_path: Path) -> None:
    text(yolo / "data.yaml", "train: train/images\nval: train/images\nnames: [cat, dog, 'no']\n")
    said = imported(brew_run, yolo, tmp_path / "out")
    assert len(records(tmp_path / "out/train_lmdb")) == 2 and not (tmp_path / "out/val_lmdb").exists()
    assert "pictures of train that val lists too, kept in train: 2" in said


def test_yolo_without_settings(brew_run: Run, tmp_path: Path) -> None:
    root = tmp_path / "flat"
    png(root / "images/train/a.png")
    text(root / "labels/train/a.txt", "0 0.5 0.5 1 1\n")
    said = imported(brew_run, root, tmp_path / "out")
    assert boxes(tmp_path / "out/train_lmdb") == {"images/train/a.png": [(1, 0, 0, 0, 8, 4, False)]}
    assert label_names(tmp_path / "out") == ("background", "0") and "their numbers are their names" in said


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 300 200 20 20", "a.txt:2: 300 is no share of a picture; 0 to 1 is expected, not pixels"),
        ("1 nan 0.5 0.5 0.5", "a.txt:2: the line has a box of"),
        ("1 0.5 0.5 0.5", "a.txt:2: there are 4 numbers; a class and 4 numbers"),
        ("1 0.5 0.5 0.5 0.5 0.9", "a.txt:2: there are 6 numbers"),
        ("dog 0.5 0.5 0.5 0.5", 'a.txt:2: "dog 0.5 0.5 0.5 0.5" is no line of numbers'),
        ("-1 0.5 0.5 0.5 0.5", "a.txt:2: the class is -1; a whole number from 0 on is expected"),
        ("inf 0.5 0.5 0.5 0.5", "a.txt:2: the class is inf"),
    ],
)
def test_a_bad_line_of_yolo(brew_run: Run, yolo: Path, tmp_path: Path, line: str, message: str) -> None:
    text(yolo / "train/labels/a.txt", f"1 0.5 0.5 0.5 0.5\n{line}\n")
    outcome = brew_run("data", "import", str(yolo), str(tmp_path / "out"))
    assert outcome.code == 3 and message in told(outcome.err), outcome.err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("names: [a\ntrain: x", "data.yaml:2: this is no YAML"),
        ("names: {0: a, 2: b}\ntrain: train/images\n", '"names" is expected to name the classes 0, 1, 2'),
        ("names: cat\ntrain: train/images\n", '"names" is expected to be a list of names'),
        ("names: [a]\ntrain: {x: 1}\n", '"train" is expected to be a folder'),
        ("names: [a]\ntrain: train.txt\n", 'train.txt:1: there is no picture "../../../x.png"'),
        (
            "names: !!python/object/apply:os.system ['true']\ntrain: x\n",
            "this is no YAML: could not determine a constructor",
        ),
        ("names: " + "[" * 3000 + "\ntrain: x\n", "this is no YAML"),
    ],
)
def test_bad_settings_of_yolo(brew_run: Run, yolo: Path, tmp_path: Path, content: str, message: str) -> None:
    text(yolo / "data.yaml", content)
    text(yolo / "train.txt", "../../../x.png\n")
    outcome = brew_run("data", "import", str(yolo), str(tmp_path / "out"))
    assert outcome.code == 3 and message in told(outcome.err), outcome.err


def palette(path: Path, numbers: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("P", numbers.shape[::-1])
    image.putdata(numbers.ravel().tolist())
    image.putpalette([value for i in range(256) for value in (255 - i, i, i // 2)])
    image.save(path)


def numbers(seed: int, most: int) -> np.ndarray:
    made = np.random.default_rng(seed).integers(0, most, (HEIGHT, WIDTH))
    made[0, 0] = 255
    return made


def masks(folder: Path) -> dict[str, np.ndarray]:
    return {
        name: np.frombuffer(Datum.FromString(value).data, np.uint8).reshape(HEIGHT, WIDTH)
        for name, value in records(folder).items()
    }


@pytest.mark.parametrize(
    ("pictures", "labels", "part"),
    [
        ("train/{}.png", "trainannot/{}.png", "train"),
        ("images/{}.png", "masks/{}.png", "train"),
        ("images/validation/{}.png", "annotations/validation/{}.png", "val"),
        ("JPEGImages/{}.png", "SegmentationClass/{}.png", "train"),
        ("leftImg8bit/test/bonn/{}_leftImg8bit.png", "gtFine/test/bonn/{}_gtFine_labelIds.png", "test"),
        ("all/{}.png", "all/{}_mask.png", "train"),
    ],
)
def test_masks_keep_the_numbers_of_their_palette(
    brew_run: Run, tmp_path: Path, pictures: str, labels: str, part: str
) -> None:
    made = {}
    for seed, name in enumerate("ab"):
        png(tmp_path / "set" / pictures.format(name), seed)
        made[pictures.format(name)] = numbers(seed, 11)
        palette(tmp_path / "set" / labels.format(name), made[pictures.format(name)])
    png(tmp_path / "set" / pictures.format("alone"))
    said = imported(brew_run, tmp_path / "set", tmp_path / "out", "--raw", "--set", "ignore=10")
    found = masks(tmp_path / f"out/{part}_masks_lmdb")
    assert list(found) == list(records(tmp_path / f"out/{part}_lmdb")) and found.keys() == made.keys()
    for name, mask in found.items():
        assert (mask == np.where(made[name] == 10, 255, made[name])).all()
    assert f"pictures without a mask, left out: 1, in {pictures.format('alone')}" in said


def test_left_and_right_pictures_are_no_masks(brew_run: Run, tmp_path: Path) -> None:
    for seed, name in enumerate(("cat/1", "cat/1_L", "dog/1")):
        png(tmp_path / f"set/{name}.png", seed)
    imported(brew_run, tmp_path / "set", tmp_path / "out")
    assert label_names(tmp_path / "out") == ("cat", "dog") and len(records(tmp_path / "out/train_lmdb")) == 3


def test_masks_in_colours(brew_run: Run, tmp_path: Path) -> None:
    png(tmp_path / "set/images/a.png")
    colours = {0: (128, 64, 128), 1: (0, 0, 0), 2: (255, 255, 0)}
    wanted = np.random.default_rng(1).integers(0, 3, (HEIGHT, WIDTH))
    pixels = np.array([colours[i] for i in range(3)], np.uint8)[wanted]
    (tmp_path / "set/labels").mkdir()
    Image.fromarray(pixels).save(tmp_path / "set/labels/a_L.png")
    without = brew_run("data", "import", str(tmp_path / "set"), str(tmp_path / "out"))
    assert without.code == 3 and "is a mask in colours" in without.err and "--set colors=FILE" in without.err
    text(tmp_path / "set/class_dict.csv", "name,r,g,b\nroad,128,64,128\nvoid,0,0,0\nline mark,255,255,0\n")
    imported(brew_run, tmp_path / "set", tmp_path / "out", "--raw")
    [mask] = masks(tmp_path / "out/train_masks_lmdb").values()
    assert (mask == wanted).all() and label_names(tmp_path / "out") == ("road", "void", "line mark")
    other = text(tmp_path / "other.txt", "128 64 128 road\n0 0 0 void\n")
    outcome = brew_run("data", "import", str(tmp_path / "set"), str(tmp_path / "o2"), "--set", f"colors={other}")
    assert outcome.code == 3 and "pixels of colours that are not listed, the first is 255 255 0" in outcome.err


def test_a_number_beyond_the_classes_is_an_error(brew_run: Run, tmp_path: Path) -> None:
    png(tmp_path / "set/images/a.png")
    palette(tmp_path / "set/masks/a.png", np.full((HEIGHT, WIDTH), 3))
    text(tmp_path / "set/classes.txt", "road\ncar\nsky\n")
    outcome = brew_run("data", "import", str(tmp_path / "set"), str(tmp_path / "out"))
    assert outcome.code == 3 and "masks/a.png has the class 3; there are 3, from 0 on" in outcome.err
    for line, message in (
        ("1 2 road", "no colour"),
        ("1 2 300 road", "no colour"),
        ("1 2 3 a\n1 2 3 b", ":2: the colour or the number was there before"),
    ):
        colours = text(tmp_path / "colours.txt", line + "\n")
        outcome = brew_run("data", "import", str(tmp_path / "set"), str(tmp_path / "out"), "--set", f"colors={colours}")
        assert outcome.code == 3 and message in told(outcome.err) and "colours.txt:" in outcome.err


def test_a_sign_that_is_a_digit_to_python_is_no_number_to_ignore(brew_run: Run, tmp_path: Path) -> None:
    png(tmp_path / "set/images/a.png")
    png(tmp_path / "set/masks/a.png")
    outcome = brew_run("data", "import", str(tmp_path / "set"), str(tmp_path / "out"), "--set", "ignore=²")
    assert outcome.code == 2 and "ignore=² is no number from 0 to 255" in outcome.err

"""Sources of strangers: whatever is wrong with their bytes is one of Brew's errors, or told, and no other exception."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random

import h5py
import numpy as np
import pytest
from PIL import Image

from brew.datasets.sources.kinds import open_source
from brew.errors import BrewError

MUTANTS = 60
ODD = b"\xff" * 8, b"\0" * 8, b"99999999", b"-1 nan 1", b"1e309,[{", b"&<>]]\"'{", b"../../a/"


def picture() -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.arange(96, dtype=np.uint8).reshape(4, 8, 3)).save(out, "PNG")
    return out.getvalue()


def voc_zip(path: Path) -> None:
    box = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>3</xmax><ymax>3</ymax></bndbox>"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Annotations/a.xml", f"<annotation><object><name>x</name>{box}</object></annotation>")
        archive.writestr("JPEGImages/a.png", picture())


def voc_tar(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        for name, content in (("a.xml", b"<annotation></annotation>"), ("a.png", picture())):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def coco(path: Path) -> None:
    path.with_name("a.png").write_bytes(picture())
    outline = {"counts": [0, 2, 30], "size": [4, 8]}
    box = {"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 1, 2, 2], "iscrowd": 1, "segmentation": outline}
    content = {"images": [{"id": 1, "file_name": "a.png", "width": 8, "height": 4}], "annotations": [box],
               "categories": [{"id": 3, "name": "é"}]}  # fmt: skip
    path.write_text(json.dumps(content, ensure_ascii=False))


def yolo(path: Path) -> None:
    path.with_name("a.png").write_bytes(picture())
    path.write_text("0 0.5 0.5 0.5 0.5\n1 0 0 0.5 0 0.5 0.5\n")


def idx(path: Path) -> None:
    path.write_bytes(gzip.compress(struct.pack(">HBB3I", 0, 8, 3, 4, 5, 4) + bytes(80)))


def cifar(path: Path) -> None:
    content = pickle.dumps({b"data": np.zeros((2, 3072), np.uint8), b"labels": [1, 0]}, protocol=2)
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        info = tarfile.TarInfo("c/data_batch_1")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))


def batch(path: Path) -> None:
    content = {b"data": np.zeros((2, 3072), np.uint8), b"labels": [1, 0]}
    path.write_bytes(pickle.dumps(content, protocol=2)[:400] + bytes(6000))


def npy(path: Path) -> None:
    np.save(path, np.array(["a", "b"]))
    np.save(path.with_name("x.npy"), np.zeros((2, 4, 4), np.uint8))


def npz(path: Path) -> None:
    np.savez_compressed(path, x=np.zeros((2, 4, 4), np.uint8), y=np.array([0, 1]))


def hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=np.zeros((4, 3, 4, 4), np.uint8), chunks=(2, 3, 4, 4), compression="gzip")
        file["label"] = [0, 1, 0, 1]


def shard(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        for name, content in (("a.json", b'{"label": "x"}'), ("a.png", picture())):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


SOURCES: list[tuple[Callable[[Path], None], str, str, bool]] = [
    (voc_zip, "s.zip", "voc", False), (voc_tar, "s.tar", "voc", False), (coco, "s.json", "coco", False),
    (yolo, "a.txt", "yolo", True), (idx, "train-images-idx3-ubyte.gz", "idx", False), (cifar, "c.tar.gz", "cifar", False),
    (batch, "data_batch_1", "cifar", True), (npy, "y.npy", "numpy", True), (npz, "s.npz", "numpy", False),
    (hdf5, "s.h5", "hdf5", False), (shard, "s.tar", "webdataset", False),
]  # fmt: skip


def mutant(content: bytes, random: Random) -> bytes:
    made = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 5))):
        at, way = random.randrange(len(made)), random.randrange(5)
        if way == 0:
            made[at] = random.randrange(256)
        elif way == 1:
            del made[at : at + random.randrange(1, 40)]
        elif way == 2:
            piece = random.choice(ODD)
            made[at : at + len(piece)] = piece
        elif way == 3:
            made[at:at] = made[at // 2 : at // 2 + 60]
        elif len(made) > 100:
            del made[at:]
        made = made or bytearray(b"x")
    return bytes(made)


@pytest.mark.filterwarnings("ignore::UserWarning")  # zipfile's, of names that are there twice
@pytest.mark.parametrize("told", [True, False], ids=["kind", "no-kind"])
@pytest.mark.parametrize(
    ("make", "name", "kind", "in_folder"), SOURCES, ids=lambda value: getattr(value, "__name__", None)
)
def test_only_errors_of_brews(
    tmp_path: Path, make: Callable[[Path], None], name: str, kind: str, in_folder: bool, told: bool
) -> None:
    file = tmp_path / "pile" / name
    file.parent.mkdir()
    make(file)
    content = file.read_bytes()
    for number in range(MUTANTS):
        file.write_bytes(mutant(content, Random(f"{name}{number}")))
        options = {"masks": "yes"} if kind == "coco" and told and number % 2 else {}
        try:
            source = open_source(file.parent if in_folder else file, kind if told else None, options)
        except BrewError:
            continue
        try:
            for item in list(source.items)[:100]:
                try:
                    source.read(item)
                except BrewError:
                    continue
        finally:
            source.close()

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import brew
from brew.data.databases.opening import open_database
from brew.data.labels import label_names
from brew.proto.brew_pb2 import Datum

Run = Callable[..., "object"]


def picture(path: Path, colour: tuple[int, int, int] | int = (200, 30, 40), size: tuple[int, int] = (8, 6)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L" if isinstance(colour, int) else "RGB", size, colour).save(path)
    return path


@pytest.fixture
def pile(tmp_path: Path) -> Path:
    for part, count in (("train", 4), ("test", 2)):
        for label in ("cat", "dog"):
            for number in range(count):
                picture(tmp_path / "pile" / part / label / f"{number}.png", (number, 0, 0))
    return tmp_path / "pile"


def records(folder: Path) -> dict[str, Datum]:
    database = open_database(folder)
    try:
        return {key.decode(): Datum.FromString(value) for key, value in database.scan(0)}
    finally:
        database.close()


def test_a_folder_of_class_folders(brew_run: Run, pile: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    outcome = brew_run("data", "import", str(pile), str(out))
    assert outcome.code == 0, outcome.err
    train, test = records(out / "train_lmdb"), records(out / "test_lmdb")
    assert (len(train), len(test)) == (8, 4)
    assert [key[:9] for key in train] == [f"{i:08d}_" for i in range(8)]
    assert {key[9:] for key in train} == {f"train/{c}/{i}.png" for c in ("cat", "dog") for i in range(4)}
    for key, datum in train.items():
        assert datum.encoded and datum.data == (pile / key[9:]).read_bytes()
        assert datum.label == ("dog" in key) and (datum.channels, datum.height, datum.width) == (3, 6, 8)
    assert label_names(out) == label_names(out / "train_lmdb") == ("cat", "dog")


LMDB = """
layer {{ name: "data" type: "Data" top: "data" top: "label" data_param {{ source: "{0}/train_lmdb" batch_size: 4 }} }}
layer {{ name: "more" type: "Data" top: "targets" data_param {{ source: "{0}/train_targets_lmdb" batch_size: 4 }} }}
"""
HDF5 = """
layer {{ name: "data" type: "HDF5Data" top: "data" top: "label" top: "targets"
        hdf5_data_param {{ source: "{0}/train_list.txt" batch_size: 4 }} }}
"""


def blobs(folder: Path, text: str) -> dict[str, np.ndarray]:
    """The first batch of a net."""
    (folder / "net.prototxt").write_text(text.format(folder))
    net = brew.Net(str(folder / "net.prototxt"), brew.TEST)
    net.forward()
    return {name: np.array(blob.data) for name, blob in net.blobs.items()}


def test_what_is_imported_is_what_a_net_reads(brew_run: Run, tmp_path: Path) -> None:
    for number in range(4):
        picture(tmp_path / f"{number}.png", (10 * number, 1, 2), (16, 12))
    rows = "".join(f"{number}.png,{number},{number / 4},-1\n" for number in range(4))
    (tmp_path / "list.csv").write_text(f"file,label,x,y\n{rows}")
    options = [str(tmp_path / "list.csv"), "--set", "targets=x,y", "--size", "6x8", "--no-shuffle"]
    lmdb, hdf5 = tmp_path / "lmdb", tmp_path / "hdf5"
    assert brew_run("data", "import", *options, str(lmdb)).code == 0
    assert brew_run("data", "import", *options, "-format", "HDF5", str(hdf5)).code == 0
    one, other = blobs(lmdb, LMDB), blobs(hdf5, HDF5)
    assert one["data"].shape == (4, 3, 6, 8) and one["data"][:, 2, 0, 0].tolist() == [0, 10, 20, 30]
    assert one["label"].tolist() == other["label"].tolist() == [0, 1, 2, 3]
    assert one["targets"].reshape(4, 2).tolist() == [[number / 4, -1] for number in range(4)]
    assert (one["data"] == other["data"]).all() and (one["targets"].reshape(4, 2) == other["targets"]).all()


def test_a_zip_with_every_option(brew_run: Run, pile: Path, tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "pile"), "zip", tmp_path, "pile")
    (tmp_path / "names.txt").write_text("dog\ncat\nbird\n")
    outcome = brew_run(
        "data", "import", archive, str(tmp_path / "out"), "--kind", "zip", "--size", "4", "--resize", "pad", "--gray", "--val", "0.25",
        "--no-compare", "--seed", "3", "--workers", "2", "--raw", "--labels", str(tmp_path / "names.txt"),
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines()[:3] == [
        f"{tmp_path / 'out'}: train: 6 records of 1 x 4 x 4, 2 classes",
        "  colour made gray: 6 pictures",
        f"{tmp_path / 'out'}: val: 2 records of 1 x 4 x 4, 2 classes",
    ]
    assert label_names(tmp_path / "out" / "val_lmdb") == ("dog", "cat", "bird")
    for key, datum in records(tmp_path / "out" / "test_lmdb").items():
        assert datum.label == ("cat" in key) and len(datum.data) == 16 and not any(datum.data[12:])


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["nowhere", "out"], 3, "there is no nowhere"),
        (["pile", "out", "--kind", "folder"], 2, 'did you mean "folders"'),
        (["pile", "out", "--set", "x"], 2, '"NAME=VALUE" is expected'),
        (["pile", "out", "--set", "x=1"], 2, 'has no option "x"'),
        (["pile", "out", "--size", "5x"], 2, "HEIGHTxWIDTH is expected"),
        (["pile", "out", "--val", "0.6", "--test", "0.5"], 2, "less than 1 together"),
        (["pile", "out", "--test", "0.5"], 2, "the source has a part test itself"),
        (["pile", "out", "--format", "hdf5", "--encoded"], 2, "HDF5 holds pixels"),
        (["pile", "out", "--labels", "nowhere.txt"], 3, "the labels cannot be read: No such file"),
        (["pile", "pile/train/cat/0.png"], 3, "is a file"),
        (["pile", "pile/train/cat/0.png/out"], 7, "cannot write"),
    ],
)
def test_mistakes_end_in_one_line(
    brew_run: Run,
    pile: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = brew_run("data", "import", *arguments)
    assert outcome.code == code and outcome.err.count("error[") == 1 and says in outcome.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pile"]

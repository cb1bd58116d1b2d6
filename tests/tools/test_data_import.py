from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

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

"""`brew data import` of sounds, tables, series and texts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from sounds import tone, wav

from brew.data.databases.opening import open_database
from brew.data.labels import label_names
from brew.proto.brew_pb2 import Datum

Run = Callable[..., "object"]
SOUND = ("--set", "pattern={label}_{speaker}_{index}.wav", "--set", "test=index:0-1", "--set", "length=0.3")


def records(folder: Path) -> dict[str, Datum]:
    database = open_database(folder)
    try:
        return {key.decode(): Datum.FromString(value) for key, value in database.scan(0)}
    finally:
        database.close()


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    folder = tmp_path / "recordings"
    folder.mkdir()
    for digit in range(3):
        for take in range(5):
            (folder / f"{digit}_ann_{take}.wav").write_bytes(wav(tone(400 * (digit + 1), 0.2 + 0.02 * take)))
    return folder


def test_sounds_with_all_that_stands_beside_them(brew_run: Run, recordings: Path, tmp_path: Path) -> None:
    outcome = brew_run("data", "import", str(recordings), str(tmp_path / "out"), *SOUND)
    assert outcome.code == 0, outcome.err
    out = tmp_path / "out"
    assert "out: train: 9 records of 1 x 28 x 40, 3 classes" in outcome.out and "test: 6 records" in outcome.out
    for part in ("train", "test"):
        data, cont = records(out / f"{part}_lmdb"), records(out / f"{part}_cont_lmdb")
        assert list(data) == list(cont)
        for key, datum in data.items():
            assert datum.label == int(key.split("_")[1]) and len(datum.float_data) == 28 * 40
            assert (datum.channels, datum.height, datum.width) == (1, 28, 40)
            assert len(cont[key].float_data) == cont[key].channels == 28 and cont[key].float_data[0] == 0
    assert label_names(out) == ("0", "1", "2")
    described = yaml.safe_load((out / "dataset.yaml").read_text())
    model = yaml.safe_load((out / "model.yaml").read_text())
    assert described["preparation"] == model["preparation"] and "model.yaml" in described["files"]
    assert model["inputs"] == [{"blob": "data", "shape": [1, 28, 40]}, {"blob": "cont", "shape": [28]}]
    assert model["preparation"]["window"] == 200 and len(model["preparation"]["mean"]) == 40


def test_an_import_is_the_same_again(brew_run: Run, recordings: Path, tmp_path: Path) -> None:
    for name, workers in (("one", "1"), ("two", "3")):
        assert brew_run("data", "import", str(recordings), str(tmp_path / name), *SOUND, "--workers", workers).code == 0
    for file in ("train_lmdb/data.mdb", "test_cont_lmdb/data.mdb", "model.yaml"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_hostile_recordings_are_named_and_can_be_left_out(brew_run: Run, recordings: Path, tmp_path: Path) -> None:
    good = wav(tone(500))
    for name, data in {
        "0_x_7.wav": good[:-9],
        "1_x_7.wav": b"",
        "2_x_7.wav": b"<html>",
        "0_x_8.wav": good[:20],
    }.items():
        (recordings / name).write_bytes(data)
    outcome = brew_run("data", "import", str(recordings), str(tmp_path / "out"), *SOUND)
    assert outcome.code == 3 and "4 of 19 items cannot be imported" in outcome.err
    assert "0_x_7.wav: its samples take 8000 bytes by its header; 7991 are there" in outcome.err
    outcome = brew_run("data", "import", str(recordings), str(tmp_path / "out"), *SOUND, "--max-bad", "4")
    assert outcome.code == 0 and "left out: 4 items" in outcome.out and "train: 9 records" in outcome.out


def test_a_table_to_hdf5(brew_run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    lines = [f"{rng.normal():.3f},{['red', 'blue'][i % 2]},{'ab'[i % 3 == 0]}" for i in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["x,colour,label", *lines]))
    outcome = brew_run(
        "data", "import", str(tmp_path / "t.csv"), str(tmp_path / "out"), "--format", "hdf5", "--set", "code=ids",
        "--test", "0.25",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    with h5py.File(tmp_path / "out" / "train.h5") as file:
        assert {name: file[name].shape for name in file} == {"data": (30, 1), "ids": (30, 1), "label": (30,)}
        assert abs(file["data"][:].mean()) < 1e-6 and abs(file["data"][:].std() - 1) < 1e-6
    assert "input_dim of the Embed layer" in outcome.out


def test_targets_stand_beside_windows(brew_run: Run, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("load\n" + "".join(f"{i}.5\n" for i in range(50)))
    series = "data", "import", str(tmp_path / "s.csv"), str(tmp_path / "out"), "--kind", "series"
    outcome = brew_run(*series, "--set", "target=load", "--set", "window=5", "--set", "test_last=0.2")
    assert outcome.code == 0, outcome.err
    data, targets = records(tmp_path / "out" / "test_lmdb"), records(tmp_path / "out" / "test_targets_lmdb")
    assert list(data) == list(targets) and next(list(datum.float_data) for datum in targets.values()) == [45.5]


def test_one_series_is_not_divided_by_chance(brew_run: Run, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("load\n" + "".join(f"{i}.5\n" for i in range(50)))
    series = "data", "import", str(tmp_path / "s.csv"), str(tmp_path / "out"), "--kind", "series"
    outcome = brew_run(*series, "--set", "target=load", "--set", "window=5", "--test", "0.2")
    assert outcome.code == 2 and "--set test_last=0.2" in outcome.err


def test_a_text_for_a_language_model(brew_run: Run, tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("to be or not to be, that is the question\n" * 20)
    outcome = brew_run(
        "data", "import", str(tmp_path / "book.txt"), str(tmp_path / "out"), "--set", "length=16", "--set",
        "test_last=0.1",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    data, following = records(tmp_path / "out" / "train_lmdb"), records(tmp_path / "out" / "train_next_lmdb")
    for key, datum in data.items():
        assert datum.float_data[1:] == following[key].float_data[:-1]


def test_the_kinds_and_their_options_are_listed(brew_run: Run, tmp_path: Path) -> None:
    outcome = brew_run("data", "import", "--kinds")
    assert outcome.code == 0
    for line in ("sound ", "  stride ", "series ", "  horizon ", "table ", "  marks ", "text ", "  vocabulary "):
        assert f"\n{line}" in outcome.out
    (tmp_path / "t.csv").write_text("x,label\n1,a\n2,b\n")
    wrong = brew_run("data", "import", str(tmp_path / "t.csv"), str(tmp_path / "out"), "--set", "codes=ids")
    assert wrong.code == 2 and 'did you mean "code"' in wrong.err

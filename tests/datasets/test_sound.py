"""Recordings: where labels and parts come from, what a record is, and that a trained net's preparation is the same."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sounds import tone, wav

from brew.datasets.features.preparation import preparation_of
from brew.datasets.features.sound.kept import Kept
from brew.datasets.features.sound.recordings import Sound
from brew.datasets.features.words import Words
from brew.datasets.sources.kinds import open_source
from brew.errors import BrewError, DataError, UsageError

NAMES = [f"{digit}_{who}_{take}.wav" for digit in (0, 1) for who in ("ann", "bob") for take in (0, 10)]
BY_NAME = {"pattern": "{label}_{speaker}_{index}.wav"}


def recordings(folder: Path, names: list[str], **how: Any) -> Path:
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wav(tone(300 + 100 * number, 0.2 + 0.05 * number), **how))
    return folder


def opened(path: Path, **options: str) -> Sound:
    source = open_source(path, None, options)
    assert isinstance(source, Sound)
    return source


def test_class_folders_and_a_record(tmp_path: Path) -> None:
    source = opened(recordings(tmp_path / "pile", ["low/a.wav", "high/b.wav"]), window="32", hop="16", bands="20")
    assert source.labels == ("high", "low") and [(i.name, i.label) for i in source.items] == [
        ("high/b.wav", 0),
        ("low/a.wav", 1),
    ]
    source.fit(source.items)
    content = source.read(source.items[1])
    assert content.data.shape == (1, 1 + (2000 - 256) // 128, 20)  # of the longest, 0.25 s
    assert content.more["cont"].tolist() == [0, *[1] * 12, 0]  # 0.2 s of sound, then silence


def test_names_say_label_group_and_part(tmp_path: Path) -> None:
    source = opened(recordings(tmp_path / "pile", NAMES), **BY_NAME, test="index:0-4", group="speaker")
    found = {item.name: (item.label, item.group, item.part) for item in source.items}
    assert found["0_ann_0.wav"] == (0, "ann", "test") and found["1_bob_10.wav"] == (1, "bob", "train")
    chosen = opened(tmp_path / "pile", **BY_NAME, val="speaker:bob")
    assert {item.part for item in chosen.items if "_bob_" in item.name} == {"val"}


def test_a_name_of_another_form_is_a_problem(tmp_path: Path) -> None:
    source = opened(recordings(tmp_path / "pile", [*NAMES, "noise.wav"]), **BY_NAME)
    assert [problem.name for problem in source.problems] == ["noise.wav"] and len(source.items) == 8


def test_a_zip_and_a_list(tmp_path: Path) -> None:
    folder = recordings(tmp_path / "pile", NAMES)
    with zipfile.ZipFile(tmp_path / "pile.zip", "w") as archive:
        for name in NAMES:
            archive.write(folder / name, f"deep/{name}")
    zipped = opened(tmp_path / "pile.zip", **BY_NAME)
    (tmp_path / "pile" / "list.csv").write_text("file,label,part\n0_ann_0.wav,zero,train\n1_bob_0.wav,one,test\n")
    listed = opened(tmp_path / "pile" / "list.csv", length="0.3")
    assert listed.labels == ("one", "zero") and [item.part for item in listed.items] == ["train", "test"]
    plain = opened(folder, **BY_NAME)
    first = plain.read(plain.items[0]).data
    np.testing.assert_array_equal(zipped.read(zipped.items[0]).data, first)
    assert len(zipped.items) == 8 and listed.read(listed.items[0]).data.shape[2] == 40


def test_raw_samples_in_windows_stay_in_one_part(tmp_path: Path) -> None:
    folder = recordings(tmp_path / "pile", ["a/x.wav", "b/y.wav"])
    source = opened(folder, features="raw", length="0.1", stride="0.05")
    assert [item.name for item in source.items] == ["a/x.wav@0.000", "a/x.wav@0.050", "a/x.wav@0.100",
                                                    *(f"b/y.wav@{t:.3f}" for t in (0, 0.05, 0.1, 0.15))]  # fmt: skip
    assert {item.group for item in source.items} == {"a/x.wav", "b/y.wav"}
    values = source.read(source.items[1]).data
    assert values.shape == (1, 1, 800)
    np.testing.assert_allclose(values[0, 0], tone(300, 0.2)[400:1200], atol=1e-4)


@pytest.mark.parametrize(("pad", "first"), [("start", 400), ("both", 200), ("end", 0)])
def test_short_recordings_are_filled(tmp_path: Path, pad: str, first: int) -> None:
    recordings(tmp_path / "pile", ["a/x.wav", "b/y.wav"])
    source = opened(tmp_path / "pile", features="raw", length="0.25", pad=pad)
    values = source.read(source.items[0]).data[0, 0]
    np.testing.assert_allclose(values[first : first + 1600], tone(300, 0.2), atol=1e-4)
    assert np.count_nonzero(values) <= 1600


@pytest.mark.parametrize(("crop", "first"), [("start", 800), ("both", 400), ("end", 0)])
def test_long_recordings_are_cut(tmp_path: Path, crop: str, first: int) -> None:
    recordings(tmp_path / "pile", ["a/x.wav", "b/y.wav"])
    source = opened(tmp_path / "pile", features="raw", length="0.1", crop=crop)
    np.testing.assert_allclose(source.read(source.items[0]).data[0, 0], tone(300, 0.2)[first : first + 800], atol=1e-4)
    assert any("2 of 2 recordings are longer and are cut" in note for note in source.notes)


def test_means_are_of_train_without_silence(tmp_path: Path) -> None:
    folder = recordings(tmp_path / "pile", NAMES)
    source = opened(folder, **BY_NAME, length="2", pad="start", bands="10")
    source.fit(source.items)
    sounding = []
    for item in source.items:
        content = source.read(item)
        within = np.flatnonzero(content.more["cont"])
        sounding.append(content.data[0, within[1] : within[-2]])
    values = np.concatenate(sounding)
    assert np.abs(values.mean(axis=0)).max() < 0.3 and abs(values.std() - 1) < 0.2
    again = opened(folder, **BY_NAME, length="2", pad="start", bands="10")
    again.fit(again.items)
    assert again.preparation == source.preparation


def test_a_trained_net_is_asked_by_the_same_rules(tmp_path: Path) -> None:
    folder = recordings(tmp_path / "pile", NAMES)
    source = opened(folder, **BY_NAME, rate="6000", length="0.4", low="100")
    source.fit(source.items)
    prepare = preparation_of(dict(source.preparation or {}))
    content = source.read(source.items[3])
    for thing in (
        str(folder / source.items[3].name),
        folder / source.items[3].name,
        (folder / source.items[3].name).read_bytes(),
    ):
        made = prepare.prepare(thing)
        np.testing.assert_array_equal(made["data"], content.data)
        np.testing.assert_array_equal(made["cont"], content.more["cont"])
    assert prepare.shapes == {name: value.shape for name, value in made.items()}
    for wrong in (3, np.zeros((2, 2)), np.zeros(5, int)):
        with pytest.raises(UsageError):
            prepare.prepare(wrong)
    with pytest.raises(DataError, match=r"nowhere\.wav cannot be read"):
        prepare.prepare("nowhere.wav")


WRONG = {
    "rates that differ": ({}, "8000, 16000 samples a second"),
    "an unknown field": ({"pattern": "{label}_{x}_{i}.wav", "test": "index:0"}, "one of the fields label, x, i"),
    "no pattern": ({"pattern": "label.wav"}, "fields in braces"),
    "nothing matches": ({"pattern": "{label}-{x}.wav"}, "no name is as the pattern"),
    "a selection of nothing": ({**BY_NAME, "test": "index:77", "rate": "8000"}, "nothing would be for test"),
    "a band of nothing": ({**BY_NAME, "rate": "8000", "bands": "200"}, "has no frequency of its own"),
    "a wrong choice": ({**BY_NAME, "rate": "8000", "features": "mfcc"}, "logmel or raw is expected"),
    "options of a spectrogram": ({**BY_NAME, "rate": "8000", "features": "raw", "bands": "9"}, "features=logmel is expected"),
    "no option": ({"bandz": "9"}, 'has no option "bandz"'),
    "no classes": ({"rate": "8000"}, "no recordings in class folders"),
    "too short": ({**BY_NAME, "rate": "8000", "length": "0.01"}, "shorter than a window"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_meant_is_told(tmp_path: Path, case: str) -> None:
    options, told = WRONG[case]
    recordings(tmp_path / "pile", NAMES)
    recordings(tmp_path / "pile", ["1_ann_9.wav"], rate=16000)
    if case == "rates that differ":
        options = BY_NAME
    with pytest.raises(BrewError, match=told):
        opened(tmp_path / "pile", **options)


def test_recordings_that_windows_are_cut_from_are_kept_as_far_as_they_fit() -> None:
    kept = Kept(1000)
    one, two, three = (np.zeros(100, np.float32) for _ in range(3))
    kept.put("one", one)
    kept.put("two", two)
    assert kept.get("one") is one
    kept.put("three", three)
    assert kept.get("two") is None and kept.get("one") is one and kept.get("three") is three
    kept.put("long", np.zeros(1000, np.float32))
    assert kept.get("one") is None and kept.get("long") is not None


def test_a_source_can_be_pickled(tmp_path: Path) -> None:
    folder = recordings(tmp_path / "pile", ["a/x.wav", "b/y.wav"])
    with zipfile.ZipFile(tmp_path / "pile.zip", "w") as archive:
        for name in ("a/x.wav", "b/y.wav"):
            archive.write(folder / name, name)
    for path in (folder, tmp_path / "pile.zip"):
        source = opened(path, features="raw", length="0.1", stride="0.05")
        again = pickle.loads(pickle.dumps(source))
        np.testing.assert_array_equal(again.read(again.items[1]).data, source.read(source.items[1]).data)


def test_a_recording_that_a_list_names_twice_is_two_items(tmp_path: Path) -> None:
    folder = recordings(tmp_path / "pile", ["a.wav", "b.wav"])
    (folder / "list.csv").write_text("file,label\na.wav,x\na.wav,y\nb.wav,x\n")
    assert [(item.name, item.label) for item in opened(folder / "list.csv").items] == [
        ("a.wav", 0), ("a.wav", 1), ("b.wav", 0)
    ]  # fmt: skip


@pytest.mark.parametrize("number", [10**400, float("nan"), True])
def test_numbers_of_a_file_that_are_none(number: object) -> None:
    with pytest.raises(DataError, match="a list of numbers is expected"):
        Words({"mean": [number]}).numbers("mean")
    with pytest.raises(DataError, match="a number is expected"):
        Words({"low": number}).number("low")

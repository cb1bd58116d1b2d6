"""`brew data convert`, `split`, `merge` and `sample`: what is copied, what it is called, what is in the way."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from brew.data.databases.lmdb_writer import write_lmdb
from brew.data.databases.opening import open_database
from brew.data.labels import label_names
from brew.datasets.annotated import annotated_datum
from brew.datasets.geometry import placement
from brew.datasets.sources.items import Box
from brew.proto.brew_pb2 import AnnotatedDatum, Datum

Run = Callable[..., "object"]


def picture(number: int, size: int = 24) -> np.ndarray:
    """(3, size, size): each number another noise, unlike all others."""
    return np.random.default_rng(number).integers(0, 256, (3, size, size), np.uint8)


def raw(pixels: np.ndarray, label: int | None) -> bytes:
    channels, height, width = pixels.shape
    made = Datum(channels=channels, height=height, width=width, data=pixels.tobytes())
    if label is not None:
        made.label = label
    return made.SerializeToString()


def png(number: int, label: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture(number).transpose(1, 2, 0)[:, :, ::-1].copy()).save(out, "PNG")
    return Datum(data=out.getvalue(), encoded=True, label=label).SerializeToString()


def records(folder: Path) -> list[tuple[bytes, bytes]]:
    database = open_database(folder)
    try:
        return list(database.scan(0))
    finally:
        database.close()


def labels(folder: Path) -> list[int]:
    return [Datum.FromString(value).label for _, value in records(folder)]


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """40 raw records of two classes, three to one, and the names of these."""
    monkeypatch.chdir(tmp_path)
    write_lmdb(tmp_path / "all_lmdb", [(b"%08d_%d.png" % (i, i), raw(picture(i), int(i % 4 == 0))) for i in range(40)])
    (tmp_path / "all_lmdb" / "labels.txt").write_text("cat\ndog\n")
    return tmp_path / "all_lmdb"


# --- convert ----------------------------------------------------------------------------------------------------------


def test_to_hdf5_and_back_to_the_same_bytes(brew_run: Run, source: Path) -> None:
    outcome = brew_run("data", "convert", "all_lmdb", "h5/all.h5")
    assert (outcome.code, outcome.out.split()) == (0, ["h5/all.h5", "h5/all_list.txt", "h5/labels.txt"]), outcome.err
    with h5py.File("h5/all.h5") as file:
        assert file["data"].shape == (40, 3, 24, 24) and file["data"].dtype == np.uint8
        assert file["label"][:].tolist() == labels(source)
        assert (file["data"][7] == picture(7)).all()
    assert brew_run("data", "convert", "h5/all_list.txt", "back_lmdb").code == 0
    assert [value for _, value in records(Path("back_lmdb"))] == [value for _, value in records(source)]
    assert label_names(Path("back_lmdb")) == ("cat", "dog")


def test_to_leveldb_and_back_key_for_key(brew_run: Run, source: Path) -> None:
    pytest.importorskip("plyvel")
    assert brew_run("data", "convert", "all_lmdb", "all_leveldb").code == 0
    assert brew_run("data", "convert", "all_leveldb", "back_lmdb").code == 0
    assert records(Path("back_lmdb")) == records(Path("all_leveldb")) == records(source)


def test_to_a_folder_of_files_and_back(brew_run: Run, source: Path, tmp_path: Path) -> None:
    """Bytes of encoded pictures stay, pixels become PNG, names stay in their folder."""
    bad = "../../up", "a/b"
    write_lmdb(tmp_path / "files_lmdb", [(b"00000000_x/7.jpg", png(7, 0)), (b"00000001_../../etc", png(8, 1)),
                                         (b"00000002_y/7.jpg", png(9, 0))])  # fmt: skip
    (tmp_path / "files_lmdb" / "labels.txt").write_text("\n".join(bad))
    assert brew_run("data", "convert", "files_lmdb", "files", "--to", "images").code == 0
    found = {path.relative_to("files").as_posix() for path in Path("files").rglob("*.png")}
    assert found == {"_.._up/7.png", "a_b/etc.png", "_.._up/00000002_7.png"}
    assert Path("files/_.._up/7.png").read_bytes() == Datum.FromString(png(7, 0)).data
    assert brew_run("data", "convert", "all_lmdb", "pictures", "--to", "images").code == 0
    assert brew_run("data", "import", "pictures", "again", "--raw").code == 0
    assert Counter(labels(Path("again/train_lmdb"))) == Counter(labels(source))
    pixels = {Datum.FromString(value).data for _, value in records(Path("again/train_lmdb"))}
    assert pixels == {Datum.FromString(value).data for _, value in records(source)}


def test_masks_go_with_their_pictures(brew_run: Run, source: Path, tmp_path: Path) -> None:
    keys = [key for key, _ in records(source)]
    masks = [(key, raw(np.full((1, 24, 24), number, np.uint8), None)) for number, key in enumerate(keys)]
    write_lmdb(tmp_path / "all_masks_lmdb", masks)
    assert brew_run("data", "convert", "all_lmdb", "h5/all.h5").code == 0
    with h5py.File("h5/all.h5") as file:
        assert file["masks"][:, 0, 0, 0].tolist() == list(range(40))
    assert brew_run("data", "convert", "h5/all.h5", "new_lmdb").code == 0
    assert [value for _, value in records(Path("new_masks_lmdb"))] == [value for _, value in masks]
    assert brew_run("data", "split", "all_lmdb", "parts", "--val", "0.25").code == 0
    for part in ("train", "val"):
        numbers = [int(key[:8]) for key, _ in records(Path(f"parts/{part}_lmdb"))]
        assert records(Path(f"parts/{part}_masks_lmdb")) == [masks[number] for number in numbers]


def test_what_stands_beside_goes_into_every_format(brew_run: Run, source: Path, tmp_path: Path) -> None:
    keys = [key for key, _ in records(source)]
    masks = [(key, raw(np.full((1, 24, 24), number, np.uint8), None)) for number, key in enumerate(keys)]
    write_lmdb(tmp_path / "all_masks_lmdb", masks)
    write_lmdb(tmp_path / "all_other_lmdb", masks[:3])
    outcome = brew_run("data", "split", "all_lmdb", "parts", "--val", "0.25", "--to", "hdf5")
    assert outcome.code == 0 and "all_other_lmdb is left out: its records are not those" in outcome.err
    with h5py.File("parts/val.h5") as file:
        assert (file["data"][3] == picture(file["masks"][3, 0, 0, 0])).all()
    assert brew_run("data", "sample", "parts/val.h5", "few_lmdb", "--count", "4").code == 0
    few = [
        int(np.frombuffer(Datum.FromString(value).data, np.uint8)[0]) for _, value in records(Path("few_masks_lmdb"))
    ]
    pixels = [Datum.FromString(value).data for _, value in records(Path("few_lmdb"))]
    assert pixels == [picture(number).tobytes() for number in few] and len(few) == 4
    outcome = brew_run("data", "sample", "all_lmdb", "files", "--count", "4", "--to", "images")
    assert outcome.code == 0 and "masks of all_lmdb is left out" in outcome.err
    write_lmdb(tmp_path / "more_lmdb", [(b"99999999", raw(picture(99), 0))])
    (tmp_path / "more_lmdb" / "labels.txt").write_text("cat\ndog\n")
    outcome = brew_run("data", "merge", "all_lmdb", "more_lmdb", "sum_lmdb")
    assert outcome.code == 0 and "all_lmdb: values beside its records are left out: masks, other" in outcome.err


def test_float_labels_get_a_database_of_their_own(brew_run: Run, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["data"] = np.arange(24, dtype=np.float32).reshape(4, 6)
        file["label"] = np.arange(8, dtype=np.float32).reshape(4, 2) / 8
    assert brew_run("data", "convert", str(tmp_path / "x.h5"), str(tmp_path / "x_lmdb")).code == 0
    data, targets = (
        [list(Datum.FromString(value).float_data) for _, value in records(tmp_path / name)]
        for name in ("x_lmdb", "x_label_lmdb")
    )
    assert data[1] == [6, 7, 8, 9, 10, 11] and targets[1] == [0.25, 0.375]


def test_records_that_a_format_does_not_hold(brew_run: Run, tmp_path: Path, source: Path) -> None:
    write_lmdb(tmp_path / "odd_lmdb", [(b"0", raw(picture(0, 8), 0)), (b"1", raw(picture(1, 9), 0))])
    outcome = brew_run("data", "convert", "odd_lmdb", "odd.h5")
    assert outcome.code == 3 and '1: "data" is 3 x 9 x 9' in outcome.err
    boxes = annotated_datum(
        Datum.FromString(raw(picture(0), None)), [Box(0, 0, 0, 9, 9)], placement((24, 24), None, "warp")
    )
    write_lmdb(tmp_path / "boxes_lmdb", [(b"0", boxes.SerializeToString())])
    assert "has boxes" in brew_run("data", "convert", "boxes_lmdb", "boxes.h5").err
    assert "does not tell" in brew_run("data", "convert", "all_lmdb", "somewhere").err
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["all_lmdb", "boxes_lmdb", "odd_lmdb"]  # no half of a file, no staging folder


def test_nothing_is_replaced_unless_asked(brew_run: Run, source: Path, tmp_path: Path) -> None:
    write_lmdb(tmp_path / "there_lmdb", [(b"0", raw(picture(0), 0))])
    before = records(tmp_path / "there_lmdb")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("x")
    assert brew_run("data", "convert", "all_lmdb", "there_lmdb").code == 3
    assert records(tmp_path / "there_lmdb") == before
    for format in ("lmdb", "leveldb", "hdf5", "images"):
        assert brew_run("data", "convert", "all_lmdb", "mine", "--to", format, "--overwrite").code == 3
    assert (tmp_path / "mine" / "file").read_text() == "x"
    assert brew_run("data", "convert", "all_lmdb", "there_lmdb", "--overwrite").code == 0
    assert records(tmp_path / "there_lmdb") == records(source)


# --- split ------------------------------------------------------------------------------------------------------------


def test_a_split_keeps_shares_keys_and_bytes(brew_run: Run, source: Path) -> None:
    outcome = brew_run("data", "split", "all_lmdb", "parts", "--val", "0.2", "--test", "0.1")
    assert outcome.code == 0, outcome.err
    assert outcome.out.split() == ["parts/train_lmdb", "parts/val_lmdb", "parts/test_lmdb"]
    parts = {part: records(Path(f"parts/{part}_lmdb")) for part in ("train", "val", "test")}
    assert {part: len(found) for part, found in parts.items()} == {"train": 28, "val": 8, "test": 4}
    assert sorted(chain(*parts.values())) == records(source)
    assert Counter(labels(Path("parts/val_lmdb"))) == {0: 6, 1: 2}
    assert label_names(Path("parts/test_lmdb")) == ("cat", "dog")
    assert "val: 8 records (6 cat, 2 dog)" in outcome.err
    again = brew_run("data", "split", "all_lmdb", "again", "--val", "0.2", "--test", "0.1")
    assert again.code == 0 and records(Path("again/val_lmdb")) == parts["val"]
    other = brew_run("data", "split", "all_lmdb", "other", "--val", "0.2", "--test", "0.1", "--seed", "3")
    assert other.code == 0 and records(Path("other/val_lmdb")) != parts["val"]


def test_pictures_nearly_the_same_are_not_parted(brew_run: Run, tmp_path: Path) -> None:
    made = []
    for i in range(40):
        pixels = np.kron(picture(i // 2, 8), np.ones((1, 4, 4), np.uint8))
        made.append((b"%08d" % i, raw(np.clip(pixels.astype(int) + i % 2, 0, 255).astype(np.uint8), 0)))
    write_lmdb(tmp_path / "twins_lmdb", made)
    outcome = brew_run("data", "split", str(tmp_path / "twins_lmdb"), str(tmp_path / "parts"), "--val", "0.5")
    assert outcome.code == 0 and "pairs of pictures that are nearly the same" in outcome.err
    val = {int(key) // 2 for key, _ in records(tmp_path / "parts" / "val_lmdb")}
    assert len(val) == 10 and not val & {int(key) // 2 for key, _ in records(tmp_path / "parts" / "train_lmdb")}


def test_a_split_of_hdf5_and_mistakes(brew_run: Run, source: Path) -> None:
    assert brew_run("data", "convert", "all_lmdb", "h5/all.h5").code == 0
    assert brew_run("data", "split", "h5/all.h5", "parts", "--val", "0.5").code == 0
    with h5py.File("parts/val.h5") as file:
        assert Counter(file["label"][:].tolist()) == {0: 15, 1: 5}
    assert brew_run("data", "split", "all_lmdb", "x").code == 2
    assert brew_run("data", "split", "all_lmdb", "x", "--val", "0.6", "--test", "0.6").code == 2
    assert brew_run("data", "split", "all_lmdb", "x", "--val", "0.001").code == 2
    assert not Path("x").exists()


# --- sample -----------------------------------------------------------------------------------------------------------


def test_samples(brew_run: Run, source: Path) -> None:
    outcome = brew_run("data", "sample", "all_lmdb", "some_lmdb", "--count", "8")
    assert outcome.code == 0, outcome.err
    assert Counter(labels(Path("some_lmdb"))) == {0: 6, 1: 2} and set(records(Path("some_lmdb"))) < set(records(source))
    assert brew_run("data", "sample", "all_lmdb", "few_lmdb", "--per-class", "2").code == 0
    assert Counter(labels(Path("few_lmdb"))) == {0: 2, 1: 2}
    assert brew_run("data", "sample", "all_lmdb", "half_lmdb", "--share", "0.5").code == 0
    assert len(records(Path("half_lmdb"))) == 20
    assert brew_run("data", "sample", "all_lmdb", "dogs_lmdb", "--label", "dog", "--relabel").code == 0
    assert labels(Path("dogs_lmdb")) == [0] * 10 and label_names(Path("dogs_lmdb")) == ("dog",)


@pytest.mark.parametrize("asked", [[], ["--count", "2", "--share", "0.5"], ["--label", "bird"], ["--relabel"],
                                   ["--label", "5"], ["--share", "0.0001"]])  # fmt: skip
def test_samples_that_cannot_be(brew_run: Run, source: Path, asked: list[str]) -> None:
    outcome = brew_run("data", "sample", "all_lmdb", "x_lmdb", *asked)
    assert outcome.code == 2 and not Path("x_lmdb").exists(), outcome.err


def test_boxes_get_new_numbers_alone_where_all_do(brew_run: Run, tmp_path: Path, source: Path) -> None:
    at, datum = placement((24, 24), None, "warp"), Datum.FromString(raw(picture(0), None))
    both, one = ([Box(label, 0, 0, 9, 9) for label in some] for some in ((1, 3), (3,)))
    values = [annotated_datum(datum, boxes, at).SerializeToString() for boxes in (both, one, one)]
    write_lmdb(tmp_path / "boxes_lmdb", [(b"%d" % number, value) for number, value in enumerate(values)])
    (tmp_path / "boxes_lmdb" / "labels.txt").write_text("background\ncat\nfox\ndog\n")
    outcome = brew_run("data", "sample", "boxes_lmdb", "x_lmdb", "--label", "dog", "--relabel")
    assert outcome.code == 2 and "boxes of other classes, too: cat" in outcome.err
    assert brew_run("data", "sample", "boxes_lmdb", "x_lmdb", "--label", "dog", "--label", "cat", "--relabel").code == 0
    found = [[g.group_label for g in AnnotatedDatum.FromString(v).annotation_group] for _, v in records(Path("x_lmdb"))]
    assert found == [[1, 2], [2], [2]] and label_names(Path("x_lmdb")) == ("background", "cat", "dog")


def test_a_record_with_boxes_that_is_broken(brew_run: Run, tmp_path: Path, source: Path) -> None:
    for name, value in (("a", b"\x0a\xff"), ("b", raw(picture(1), 0))):
        write_lmdb(tmp_path / f"{name}_lmdb", [(name.encode(), value)])
        (tmp_path / f"{name}_lmdb" / "labels.txt").write_text(f"{name}\n")
    outcome = brew_run("data", "merge", "b_lmdb", "a_lmdb", "x_lmdb")
    assert outcome.code == 3 and "record 'a': its 2 bytes are no Datum" in outcome.err


@pytest.mark.parametrize("label", ["²", "--5"])
def test_a_class_that_is_no_number(brew_run: Run, source: Path, label: str) -> None:
    outcome = brew_run("data", "show", "all_lmdb", f"--label={label}")
    assert outcome.code == 2 and f'"{label}" is no class of all_lmdb' in outcome.err


# --- merge ------------------------------------------------------------------------------------------------------------


def test_classes_are_joined_by_name_and_keys_stay_unique(brew_run: Run, source: Path, tmp_path: Path) -> None:
    boxes = annotated_datum(
        Datum.FromString(raw(picture(0), None)), [Box(1, 0, 0, 9, 9)], placement((24, 24), None, "warp")
    )
    write_lmdb(tmp_path / "b_lmdb", [(b"00000000_b.png", raw(picture(99), 0)), (b"00000001_c.png", raw(picture(98), 1)),
                                     (b"00000002_d.png", boxes.SerializeToString())])  # fmt: skip
    (tmp_path / "b_lmdb" / "labels.txt").write_text("bird\ncat\n")
    outcome = brew_run("data", "merge", "all_lmdb", "b_lmdb", "sum_lmdb")
    assert outcome.code == 0, outcome.err
    assert "numbered anew" in outcome.err and "b_lmdb: its classes" in outcome.err
    merged = records(Path("sum_lmdb"))
    assert [key for key, _ in merged[-3:]] == [b"00000040_b.png", b"00000041_c.png", b"00000042_d.png"]
    assert merged[:40] == [(key, value) for key, value in records(source)]
    assert labels(Path("sum_lmdb"))[40:42] == [2, 0] and label_names(Path("sum_lmdb")) == ("cat", "dog", "bird")
    assert AnnotatedDatum.FromString(merged[42][1]).annotation_group[0].group_label == 0


def test_what_was_split_is_merged_again(brew_run: Run, source: Path) -> None:
    assert brew_run("data", "split", "all_lmdb", "parts", "--val", "0.5").code == 0
    outcome = brew_run("data", "merge", "parts/train_lmdb", "parts/val_lmdb", "sum.h5", "--to", "lmdb")
    assert outcome.code == 0 and outcome.out == "sum.h5\n"
    assert sorted(value for _, value in records(Path("sum.h5"))) == sorted(value for _, value in records(source))


def test_merges_that_cannot_be(brew_run: Run, source: Path, tmp_path: Path) -> None:
    write_lmdb(tmp_path / "plain_lmdb", [(b"0", raw(picture(0), 0))])
    assert "labels.txt" in brew_run("data", "merge", "all_lmdb", "plain_lmdb", "x_lmdb").err
    assert "twice" in brew_run("data", "merge", "all_lmdb", "./all_lmdb", "x_lmdb").err
    assert brew_run("data", "merge", "all_lmdb", "x_lmdb").code == 2
    assert brew_run("data", "merge", "all_lmdb", "nothing_lmdb", "x_lmdb").code == 3
    assert not Path("x_lmdb").exists()

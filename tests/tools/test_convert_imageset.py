"""`brew convert_imageset` through the command line: Caffe's databases byte for byte, and what goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pytest
from PIL import Image

from brew.data.databases.opening import open_database
from brew.data.datum import decode
from brew.proto.brew_pb2 import Datum

Run = Callable[..., Any]
REFERENCE = Path(__file__).parents[1] / "fixtures" / "conformance" / "data"  # made by BVLC's convert_imageset


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with img/ and list.txt: names with blanks, a tab, CRLF, an empty line."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "img").mkdir()
    colour = np.arange(4 * 2 * 3, dtype=np.uint8).reshape(4, 2, 3)
    Image.fromarray(colour).save("img/a b.png")
    Image.fromarray(colour[::-1]).save("img/c.png")
    Image.fromarray(colour[:, :, 0]).save("img/gray.png")
    (tmp_path / "list.txt").write_bytes(b"a b.png 3\r\nc.png\t-1 \r\n\r\ngray.png   0\r\n")
    return tmp_path


def records(path: str) -> dict[str, Datum]:
    """By key, through the lmdb package."""
    with lmdb.open(path, readonly=True, lock=False) as environment, environment.begin() as transaction:
        return {key.decode(): Datum.FromString(value) for key, value in transaction.cursor()}


@pytest.mark.parametrize(
    ("name", "flags"), [("raw_lmdb", ()), ("gray_lmdb", ("-gray",)), ("encoded_lmdb", ("-encode_type=png",))]
)
def test_databases_are_those_of_caffes_program(
    name: str, flags: tuple[str, ...], brew_run: Run, tmp_path: Path
) -> None:
    size = ("-resize_height=10", "-resize_width=9")
    made = tmp_path / name
    assert (
        brew_run("convert_imageset", *size, *flags, f"{REFERENCE}/images/", f"{REFERENCE}/list.txt", str(made)).code
        == 0
    )
    ours, theirs = (list(open_database(path).scan(0)) for path in (made, REFERENCE / name))
    if name == "encoded_lmdb":  # zlib's bytes differ, the pixels do not
        assert [key for key, _ in ours] == [key for key, _ in theirs]
        ours, theirs = ([decode(record) for record in some] for some in (ours, theirs))
        assert all((a[0] == b[0]).all() and a[1] == b[1] for a, b in zip(ours, theirs, strict=True))
    else:
        assert ours == theirs


def test_keys_and_records_are_caffes(brew_run: Run, images: Path) -> None:
    outcome = brew_run("convert_imageset", "img/", "list.txt", "db")
    assert (outcome.code, outcome.out) == (0, "db: LMDB, 3 records of 3 x 4 x 2\n")
    assert "] A total of 3 images.\n" in outcome.err and "] Processed 3 files.\n" in outcome.err
    made = records("db")
    assert list(made) == ["00000000_a b.png", "00000001_c.png", "00000003_gray.png"]  # the numbers of the lines
    assert [datum.label for datum in made.values()] == [3, -1, 0]
    first = made["00000000_a b.png"]
    rgb = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
    assert first.data == rgb[:, :, ::-1].transpose(2, 0, 1).tobytes()  # blue first, channels first
    assert first.HasField("encoded") and not first.encoded  # as Caffe's CVMatToDatum leaves it


def test_flags_are_gflags(brew_run: Run, images: Path) -> None:
    said = ("--gray=true", "-resize_height=2", "--resize-width", "1", "--noshuffle", "-check_size", "--encoded=false")
    assert brew_run("convert-imageset", *said, "img/", "list.txt", "db").code == 0
    made = records("db")
    assert {(datum.channels, datum.height, datum.width) for datum in made.values()} == {(1, 2, 1)}
    # Halving both sides is the mean of 2 x 2 pixels: here of 0, 3, 6, 9.
    assert made["00000003_gray.png"].data[0] == (0 + 3 + 6 + 9 + 2) // 4


def test_encoded_files_are_kept_as_they_are(brew_run: Run, images: Path) -> None:
    assert brew_run("convert_imageset", "-encoded", "img/", "list.txt", "db").code == 0
    datum = records("db")["00000001_c.png"]
    assert datum.data == Path("img/c.png").read_bytes()
    assert datum.encoded and not datum.HasField("height")
    assert brew_run("convert_imageset", "-encode_type=jpg", "img/", "list.txt", "jpg").code == 0
    assert all(datum.data.startswith(b"\xff\xd8\xff") for datum in records("jpg").values())
    Path("img/noending").write_bytes(Path("img/c.png").read_bytes())
    Path("one.txt").write_text("noending 1\n")
    outcome = brew_run("convert_imageset", "-encoded", "img/", "one.txt", "none")
    assert outcome.code == 3 and "no ending that says how" in outcome.err
    assert brew_run("convert_imageset", "-encode_type=mp3", "img/", "list.txt", "x").code == 2


def test_shuffling_has_a_seed(brew_run: Run, images: Path) -> None:
    Path("many.txt").write_text("".join(f"c.png {label}\n" for label in range(50)))
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert brew_run("convert_imageset", "-shuffle", "-seed", seed, "img/", "many.txt", name).code == 0
    a, b, c = ([datum.label for datum in records(name).values()] for name in "abc")
    assert a == b != c
    assert sorted(a) == sorted(c) == list(range(50)) != a
    assert list(records("a"))[49] == "00000049_c.png"


def test_images_that_cannot_be_used_are_named_and_no_database_is_left(brew_run: Run, images: Path) -> None:
    Path("img/broken.jpg").write_bytes(Path("img/c.png").read_bytes()[:40])
    Path("bad.txt").write_text("a b.png 0\ngone.png 1\nc.png x\nc.png 1\nbroken.jpg 2\n")
    outcome = brew_run("convert_imageset", "img/", "bad.txt", "db")
    assert outcome.code == 3 and outcome.out == ""
    assert "bad.txt:2: image img/gone.png cannot be read: No such file" in outcome.err
    assert 'bad.txt:3: the list: "x" is no label' in outcome.err
    assert "2 of 5 images cannot be used, and none may be left out" in outcome.err  # before anything is decoded
    outcome = brew_run("convert_imageset", "img/", "bad.txt", "db", "--max-bad=2")
    assert outcome.code == 3 and "bad.txt:5: image img/broken.jpg " in outcome.err
    assert sorted(path.name for path in images.iterdir()) == ["bad.txt", "img", "list.txt"]
    outcome = brew_run("convert_imageset", "img/", "bad.txt", "db", "--max-bad=3")
    assert outcome.out == "db: LMDB, 2 records of 3 x 4 x 2, 3 images left out\n"
    assert list(records("db")) == ["00000000_a b.png", "00000003_c.png"]
    Path("all.txt").write_text("gone.png 1\n")
    assert brew_run("convert_imageset", "img/", "all.txt", "none", "--max-bad=9").code == 3


def test_other_sizes_are_told(brew_run: Run, images: Path) -> None:
    Image.new("RGB", (5, 4)).save("img/wide.png")
    Path("two.txt").write_text("c.png 0\nwide.png 1\n")
    outcome = brew_run("convert_imageset", "-check_size", "img/", "two.txt", "db")
    assert outcome.code == 3 and "img/wide.png is 3 x 4 x 5, and img/c.png 3 x 4 x 2" in outcome.err
    assert brew_run("convert_imageset", "img/", "two.txt", "db").out == "db: LMDB, 2 records of several sizes\n"


def test_mistakes(brew_run: Run, images: Path) -> None:
    assert "--resize_height is missing" in brew_run("convert_imageset", "-resize_width=3", "img/", "list.txt", "x").err
    assert brew_run("convert_imageset", "img", "list.txt", "db").code == 0  # a folder without its slash
    again = brew_run("convert_imageset", "img", "list.txt", "db")
    assert again.code == 3 and "--overwrite" in again.err
    assert brew_run("convert_imageset", "img", "list.txt", "db", "--overwrite").code == 0
    assert brew_run("convert_imageset", "img", "list.txt", "img", "--overwrite").code == 3
    assert brew_run("convert_imageset", "img/", "img/c.png", "x").code == 3
    assert brew_run("convert_imageset", "img/", "nowhere.txt", "x").code == 3
    assert brew_run("convert_imageset", "img/", "list.txt").code == 2


def test_leveldb(brew_run: Run, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "plyvel", None)
    outcome = brew_run("convert_imageset", "-backend=leveldb", "img/", "list.txt", "db")
    assert outcome.code == 3 and "plyvel is not installed" in outcome.err and not Path("db").exists()
    monkeypatch.undo()
    monkeypatch.chdir(images)
    pytest.importorskip("plyvel")
    assert brew_run("convert_imageset", "-backend=leveldb", "img/", "list.txt", "db").code == 0
    assert brew_run("convert_imageset", "img/", "list.txt", "other").code == 0
    database = open_database(Path("db"))
    assert {key.decode(): Datum.FromString(value) for key, value in database.scan(0)} == records("other")
    database.close()
    assert brew_run("convert_imageset", "-backend=leveldb", "img/", "list.txt", "db", "--overwrite").code == 0

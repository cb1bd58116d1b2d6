"""`brew data check`: bad records are named; one that kills or stops the child that reads it is a bad record too."""

from __future__ import annotations

import os
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from brew.checks.records import check as checking
from brew.checks.records.check import BadRecord, CheckFailed, Limits, Report, check
from brew.proto.brew_pb2 import Datum

CONFORMANCE = Path(__file__).parents[1] / "fixtures" / "conformance"


def one(source: Path, **limits: object) -> Report:
    [report] = check([str(source)], Limits(**limits))  # type: ignore[arg-type]
    return report


def datum(label: int = 0, pixels: bytes = bytes(27), **fields: object) -> Datum:
    return Datum(channels=3, height=3, width=3, label=label, data=pixels, **fields)  # type: ignore[arg-type]


def test_the_child_is_of_this_very_brew() -> None:
    first = Path(checking._environment()["PYTHONPATH"].split(os.pathsep)[0])
    assert (first / "brew" / "checks" / "records" / "child.py").samefile(Path(checking.__file__).with_name("child.py"))


def test_whole_sources_in_one_child() -> None:
    data = CONFORMANCE / "data"
    h5 = CONFORMANCE / "solvers" / "sgd_plain"
    sources = [data / "raw_lmdb", data / "encoded_lmdb", h5 / "data.txt", h5 / "data.h5"]
    moved: list[tuple[str, int, int | None]] = []
    reports = list(check([str(s) for s in sources], progress=lambda *step: moved.append(step)))
    assert [(r.kind, r.checked, r.bad, r.problem) for r in reports] == [
        ("LMDB", 10, 0, None), ("LMDB", 10, 0, None), ("HDF5", 2, 0, None), ("HDF5", 2, 0, None),
    ]  # fmt: skip
    assert reports[0].shapes == {"3 x 10 x 9": 10}
    assert reports[0].labels == (0, 1)
    assert reports[2].labels == (0, 3)
    assert (str(sources[0]), 10, 10) in moved


def test_every_bad_record_of_a_database(make_lmdb: Callable[..., Path]) -> None:
    records = [
        datum(),
        datum(pixels=bytes(5)),
        b"\xff" * 40,
        datum(),
        datum(label=7),
        datum(pixels=b"\xff\xd8", encoded=True),
    ]
    report = one(make_lmdb(records), classes=3)
    assert (report.checked, report.bad, report.usable) == (6, 4, True)
    assert [f.record for f in report.bad_records] == ["00000001", "00000002", "00000004", "00000005"]
    reasons = [f.reason for f in report.bad_records]
    assert "27 values, and has 5" in reasons[0]
    assert "no Datum" in reasons[1]
    assert reasons[2] == "label 7: 0 to 2 are allowed"
    assert "encoded image" in reasons[3]


def test_bad_records_are_listed_up_to_a_limit_and_counted_beyond(make_lmdb: Callable[..., Path]) -> None:
    [report] = check([str(make_lmdb([datum(label=-1)] * 30))], Limits(classes=2), listed=4)
    assert (report.bad, len(report.bad_records)) == (30, 4)


def write_images(folder: Path) -> Path:
    """A list of good and bad images: line 2 is missing, 3 empty, 4 cut short, 5 too large."""
    rng = np.random.default_rng(0)
    pixels = Image.fromarray(rng.integers(0, 255, (40, 30, 3), np.uint8))
    pixels.save(folder / "good.jpg")
    (folder / "empty.png").write_bytes(b"")
    (folder / "cut.jpg").write_bytes((folder / "good.jpg").read_bytes()[:300])
    pixels.save(folder / "bomb.png")
    bomb = bytearray((folder / "bomb.png").read_bytes())
    bomb[16:24] = struct.pack(">II", 1 << 15, 1 << 15)
    bomb[29:33] = struct.pack(">I", zlib.crc32(bomb[12:29]))
    (folder / "bomb.png").write_bytes(bomb)
    Image.fromarray(rng.integers(0, 1 << 15, (4, 4), np.uint16)).save(folder / "deep.png")
    pixels.convert("CMYK").save(folder / "cmyk.jpg")
    pixels.save(folder / "moving.gif", save_all=True, append_images=[pixels.rotate(90)])
    names = ["good.jpg", "gone.jpg", "empty.png", "cut.jpg", "bomb.png", "deep.png", "cmyk.jpg", "moving.gif"]
    (folder / "list.txt").write_text("".join(f"{name} {number}\n" for number, name in enumerate(names)))
    return folder / "list.txt"


def test_every_bad_image_of_a_list(tmp_path: Path) -> None:
    report = one(write_images(tmp_path))
    assert (report.kind, report.checked, report.labels) == ("images", 8, (0, 7))
    found = {f.record.partition(": ")[2]: f.reason for f in report.bad_records}
    assert list(found) == ["gone.jpg", "empty.png", "cut.jpg", "bomb.png"]
    for name, word in {"gone.jpg": "there is no", "empty.png": "no bytes", "cut.jpg": "cannot be decoded",
                       "bomb.png": "refused"}.items():  # fmt: skip
        assert word in found[name], found[name]
    assert report.bad_records[0].record.startswith(f"{tmp_path}/list.txt:2: ")


def test_hdf5_with_tricks_nan_and_unequal_rows(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["data"] = np.array([[1, 2], [np.nan, 0], [3, np.inf]])
        file["label"] = np.arange(3)
        file["few"] = np.arange(2)
        file["words"] = "text"
        file["away"] = h5py.ExternalLink("/etc/passwd", "/x")
        file["soft"] = h5py.SoftLink("/data")
        file.create_dataset("raw", (8,), "f4", external=[("/etc/hostname", 0, 32)])
        file.create_group("loop")["again"] = file["/"]  # a group that holds itself
    report = one(tmp_path / "x.h5")
    found = {f.record.rpartition(": ")[2]: f.reason for f in report.bad_records}
    assert "row 1, 2" in found["/data"]
    assert "external link" in found["/away"]
    assert "soft link" in found["/soft"]
    assert "other files" in found["/raw"]
    assert "numbers are needed" in found["/words"]
    assert "/label has 3, /few has 2" in found[str(tmp_path / "x.h5")] or "/few has 2, /label has 3" in str(found)
    assert report.labels == (0, 2)
    assert one(tmp_path / "x.h5", tops=("label",)).bad == 0


def test_what_cannot_be_used_says_why(tmp_path: Path) -> None:
    (tmp_path / "page").write_text("<!DOCTYPE html><html>")
    (tmp_path / "folder").mkdir()
    (tmp_path / "windows.txt").write_text("# 0\n/images/1.jpg\n3\n4\n4\n0\n")
    os.mkfifo(tmp_path / "pipe")
    lmdb = CONFORMANCE / "data" / "raw_lmdb" / "data.mdb"
    words = {
        "none": "no such file",
        "page": "HTML",
        "folder": "neither data.mdb",
        "windows.txt": "windows",
        "pipe": "neither a file",
    }
    reports = list(check([*(str(tmp_path / name) for name in words), str(lmdb)]))
    for report, word in zip(reports, [*words.values(), "its folder"], strict=True):
        assert report.problem is not None
        assert word in report.problem


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """`child(code)`: the child runs this line before it looks at the image "two", and at record 4 of a database."""

    def install(code: str) -> None:
        (tmp_path / "sitecustomize.py").write_text(
            "import os, sys, time\n"
            "if 'brew.checks.records.child' in sys.orig_argv:\n"
            "    from brew.checks.records import walks\n"
            "    before = walks._image\n"
            "    def look(files, number, measurer):\n"
            f"        if files.images.names[number] == 'two.png': {code}\n"
            "        return before(files, number, measurer)\n"
            "    walks._image = look\n"
            "    before_datum = walks._datum\n"
            "    def look_at(entry, classes, measurer):\n"
            f"        if entry.key.startswith(b'00000004'): {code}\n"
            "        return before_datum(entry, classes, measurer)\n"
            "    walks._datum = look_at\n"
        )
        environment = checking._environment()
        environment["PYTHONPATH"] += os.pathsep + str(tmp_path)
        monkeypatch.setattr(checking, "_environment", lambda: environment)
        for name in ("one", "two", "three"):
            Image.new("RGB", (4, 3)).save(tmp_path / f"{name}.png")
        (tmp_path / "list.txt").write_text("one.png 0\ntwo.png 1\nthree.png 2\n")

    return install


@pytest.mark.parametrize(("code", "reason"), [
    ("os.kill(os.getpid(), 11)", r"kills the process that reads (SIGSEGV)"),
    ("os.kill(os.getpid(), 7)", r"kills the process that reads (SIGBUS)"),
    ("time.sleep(100)", "took more than 1 seconds"),
    ("bytearray(200 << 20)", "more than the 100 MiB"),
])  # fmt: skip
def test_an_image_that_kills_stops_or_fills_its_reader(
    child: Callable[[str], None], tmp_path: Path, code: str, reason: str
) -> None:
    child(code)
    began = time.monotonic()
    report = one(tmp_path / "list.txt", timeout=1.0, memory=100 << 20)
    assert time.monotonic() - began < 20
    assert (report.checked, report.bad, report.usable) == (3, 1, True)
    [bad] = report.bad_records
    assert isinstance(bad, BadRecord)
    assert bad.record.endswith("two.png")
    assert reason in bad.reason
    assert report.labels == (0, 2)


def test_a_database_that_kills_its_reader(child: Callable[[str], None]) -> None:
    child("os.kill(os.getpid(), 7)")
    whole = CONFORMANCE / "solvers" / "sgd_plain" / "data.h5"
    killed, after = check([str(CONFORMANCE / "data" / "raw_lmdb"), str(whole)], Limits())
    assert killed.checked == 4
    assert killed.problem is not None
    assert killed.problem.startswith(
        "record '00000004_dogs/img_04.png': reading it kills the process that reads (SIGBUS)"
    )
    assert after.usable, "another child goes on with the next source"
    assert after.checked == 2


def test_a_mistake_of_ours_in_the_child_is_no_bad_record(child: Callable[[str], None], tmp_path: Path) -> None:
    child("raise KeyError('ours')")
    with pytest.raises(CheckFailed, match="KeyError: 'ours'"):
        one(tmp_path / "list.txt")


def test_names_that_no_system_takes(tmp_path: Path) -> None:
    names = ["~nobody-of-that-name/x.png", "a" * 300, "../" * 2000 + "x"]
    (tmp_path / "list.txt").write_text("".join(f"{name} 0\n" for name in names))
    assert one(tmp_path / "list.txt").bad == len(names)
    [report] = check(["a" * 300])
    assert report.problem is not None
    assert "too long" in report.problem

from __future__ import annotations

import gzip
import io
import pickle
import re
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from piles import encoded

from brew.datasets.sources import archives
from brew.datasets.sources.archives import TarFolders, ZipFolders
from brew.datasets.sources.items import Source
from brew.datasets.sources.kinds import open_source
from brew.errors import DataError

NAMES = ("set/cat/1.png", "set/cat/2.png", "set/dog/1.png")


def zipped(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def tarred(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


PICTURES = {name: encoded(seed) for seed, name in enumerate(NAMES)}
MADE: dict[str, Callable[[Path], Path]] = {
    "zip": lambda folder: zipped(folder / "a", {"readme.txt": b"x", **PICTURES}),
    "deflated zip": lambda folder: zipped(folder / "a", PICTURES, zipfile.ZIP_DEFLATED),
    "lzma zip": lambda folder: zipped(folder / "a", PICTURES, zipfile.ZIP_LZMA),
    "tar": lambda folder: tarred(folder / "a", {f"./{name}": data for name, data in PICTURES.items()}),
    "tar.gz": lambda folder: tarred(folder / "a", PICTURES, "w:gz"),
    "tar.xz": lambda folder: tarred(folder / "a", dict(reversed(PICTURES.items())), "w:xz"),
}


def read(source: Source) -> dict[str, object]:
    source.expect(source.items)
    return {item.name.removeprefix("./"): source.read(item).data for item in source.items}


@pytest.mark.parametrize("kind", MADE)
def test_archives_of_class_folders(tmp_path: Path, kind: str) -> None:
    source = open_source(MADE[kind](tmp_path))
    assert source.labels == ("cat", "dog") and [item.label for item in source.items] == [0, 0, 1]
    assert read(source) == PICTURES
    assert [source.size(item) for item in source.items] == [len(data) for data in PICTURES.values()]
    copy = pickle.loads(pickle.dumps(source))
    assert read(copy) == PICTURES
    source.close()
    copy.close()


def test_a_compressed_tar_is_unpacked_once_a_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = TarFolders(tarred(tmp_path / "a.tgz", PICTURES, "w:gz"), {})
    passes: list[set[str]] = []
    load = TarFolders._load
    monkeypatch.setattr(TarFolders, "_load", lambda self, item: (load(self, item), passes.append(set(self._held))))
    assert read(source) == PICTURES and passes == [set(NAMES)]
    monkeypatch.setattr(archives, "_WINDOW", len(PICTURES[NAMES[0]]) * 2)
    passes.clear()
    source.expect(list(reversed(source.items)))
    assert [source.read(item).data for item in reversed(source.items)] == list(reversed(PICTURES.values()))
    assert len(passes) == 2


def encrypt(path: Path, name: bytes) -> None:
    """Set the mark of encryption in a member's two headers."""
    content = bytearray(path.read_bytes())
    local, central = content.index(name), content.rindex(name)
    content[local - 30 + 6] |= 1
    content[central - 46 + 8] |= 1
    path.write_bytes(content)


def test_members_that_are_refused_are_named(tmp_path: Path) -> None:
    bomb = bytes(archives._SUSPICIOUS + 1)
    members = {
        **PICTURES, "../out/1.png": b"x", "/abs/1.png": b"x", "c:/1.png": b"x", "a\\b/1.png": b"x",
        "cat/bomb.png": bomb, "cat/secret.png": b"x", "../notes.txt": b"left out by its name",
    }  # fmt: skip
    path = zipped(tmp_path / "a.zip", members, zipfile.ZIP_DEFLATED)
    encrypt(path, b"cat/secret.png")
    source = ZipFolders(path, {})
    problems = {problem.name: problem.reason for problem in source.problems}
    leads = "its name leads out of the archive"
    assert problems.pop("cat/bomb.png").endswith(f"unpack to {len(bomb)}: it is taken for a bomb")
    assert problems.pop("cat/secret.png") == "it is encrypted"
    assert problems == {name: leads for name in ("../out/1.png", "/abs/1.png", "c:/1.png", "a\\b/1.png")}
    assert read(source) == PICTURES


def test_members_of_a_tar_that_are_refused_are_named(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a.tar", {**PICTURES, "../out/1.png": b"x"})
    with tarfile.open(path, "a") as archive:
        for name, kind in (("cat/link.png", tarfile.SYMTYPE), ("cat/fifo.png", tarfile.FIFOTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    source = TarFolders(path, {})
    assert [tuple(problem) for problem in source.problems] == [
        ("../out/1.png", "its name leads out of the archive"),
        ("cat/fifo.png", "it is no regular file"),
        ("cat/link.png", "it is a link"),
    ]


def test_a_tar_that_is_a_bomb(tmp_path: Path) -> None:
    members = {**PICTURES, "cat/3.png": bytes(archives._SUSPICIOUS + (8 << 20))}
    path = tarred(tmp_path / "a.tgz", members, "w:gz")
    with pytest.raises(DataError, match="taken for a bomb"):
        TarFolders(path, {})


@pytest.mark.parametrize("kind", MADE)
def test_damaged_archives_are_told(tmp_path: Path, kind: str) -> None:
    path = MADE[kind](tmp_path)
    whole = path.read_bytes()
    named = ZipFolders if "zip" in kind else TarFolders
    for cut in range(0, len(whole), len(whole) // 40):
        path.write_bytes(whole[:cut])
        try:
            source = named(path, {})
            read(source)
            source.close()
        except DataError:
            pass
    path.write_bytes(whole[:200] + bytes(100) + whole[300:])
    try:
        read(named(path, {}))
    except DataError as error:
        assert str(path) in str(error)


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_that_is_damaged_behind_its_first_members(tmp_path: Path, mode: str) -> None:
    whole = tarred(tmp_path / "a.tar", PICTURES).read_bytes()
    last = whole.rindex(b"set/dog/1.png")
    path = tmp_path / "b.tar"
    damaged = whole[:last] + b"x" * 200 + whole[last + 200 :]
    path.write_bytes(damaged if mode == "w" else gzip.compress(damaged))
    with pytest.raises(DataError, match=f"at byte {last} a member is expected .*: was it cut or damaged"):
        TarFolders(path, {})


def test_a_cut_tar_is_told_as_one(tmp_path: Path) -> None:
    whole = tarred(tmp_path / "a.tar", {**PICTURES, "set/fox/1.png": bytes(2000)}).read_bytes()
    path = tmp_path / "b.tar"
    path.write_bytes(whole[: whole.index(b"set/fox/1.png") + 1000])
    with pytest.raises(DataError, match="is no tar archive that can be read: unexpected end of data"):
        open_source(path)


def test_one_folder_of_pictures_in_an_archive_is_no_class(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"JPEGImages/1.png": b"x", "JPEGImages/2.png": b"x", "Annotations/1.xml": b""})
    with pytest.raises(DataError, match="of no kind that can be imported: it is a zip archive"):
        open_source(path)


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "tar.xz", "tar.bz2", "tgz", "zip"])
def test_what_a_cut_archive_is_called(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    if ending == "zip":
        zipped(path, PICTURES)
    else:
        tarred(path, PICTURES, f"w:{ {'tar': '', 'tgz': 'gz'}.get(ending, ending.removeprefix('tar.')) }")
    whole = path.read_bytes()
    told = 0
    for size in range(40, len(whole), len(whole) // 30):
        path.write_bytes(whole[:size])
        try:
            source = open_source(path)
        except DataError as error:
            told += 1
            assert re.search("was cut|was it cut|have been cut|unexpected end of data", error.message)
        else:
            assert len(source.items) == len(PICTURES) or source.notes, "all is there, or a remark"
    assert told >= 5


def test_a_tar_without_its_mark_of_an_end_is_remarked_upon(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a.tar", PICTURES)
    assert not open_source(path).notes
    with tarfile.open(path) as archive:
        end = [*archive][-1]
    path.write_bytes(path.read_bytes()[: end.offset_data + -(-end.size // 512) * 512])
    source = open_source(path)
    assert len(source.items) == len(PICTURES)
    assert source.notes == ["the archive ends without tar's mark of an end: it may have been cut"]

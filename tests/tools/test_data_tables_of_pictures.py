"""`brew data import` of Parquet and WebDataset, on small files that the tests make."""

from __future__ import annotations

import io
import json
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from brew.data.databases.opening import open_database
from brew.data.labels import label_names
from brew.proto.brew_pb2 import Datum

Run = Callable[..., Any]


def png(seed: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (4, 6, 3), np.uint8)).save(out, "PNG")
    return out.getvalue()


def records(folder: Path) -> dict[str, Datum]:
    database = open_database(folder)
    try:
        return {key.decode()[9:]: Datum.FromString(value) for key, value in database.scan(0)}
    finally:
        database.close()


def imported(brew_run: Run, source: Path, out: Path, *options: str) -> str:
    outcome = brew_run("data", "import", str(source), str(out), *options)
    assert outcome.code == 0, outcome.err
    return str(outcome.out)


def refused(brew_run: Run, source: Path, out: Path, *options: str) -> str:
    outcome = brew_run("data", "import", str(source), str(out), *options)
    assert outcome.code == 3, outcome.out
    assert "Traceback" not in outcome.err and not out.exists()
    return str(outcome.err)


def parquet(path: Path, columns: dict[str, list[Any]], names: list[str] | None = None) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(columns)
    if names is not None:
        described = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(described)})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=2)
    return path


def pictures(count: int, seed: int = 0) -> list[dict[str, Any]]:
    return [{"bytes": png(seed + i), "path": f"{i}.png"} for i in range(count)]


def test_parquet_as_it_is_published(brew_run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "set" / "data"
    made = {}
    for part, count, seed in (("train", 5, 0), ("test", 3, 9)):
        rows = pictures(count, seed)
        parquet(
            folder / f"{part}-00000-of-00001.parquet",
            {"image": rows, "label": [i % 3 for i in range(count)]},
            ["x", "y", "z"],
        )
        made[part] = [row["bytes"] for row in rows]
    imported(brew_run, tmp_path / "set", tmp_path / "out")
    for part, files in made.items():
        found = sorted(records(tmp_path / f"out/{part}_lmdb").items())
        assert [datum.data for _, datum in found] == files
        assert [datum.label for _, datum in found] == [i % 3 for i in range(len(files))]
        assert found[0][0] == f"data/{part}-00000-of-00001/00000"
    assert label_names(tmp_path / "out") == ("x", "y", "z")


@pytest.mark.parametrize(
    ("labels", "numbers", "names"),
    [(["b", "a", "b"], [1, 0, 1], ("a", "b")), ([7, 0, 3], [7, 0, 3], ()), (None, [0, 0, 0], ())],
)
def test_parquet_with_plain_bytes(
    brew_run: Run, tmp_path: Path, labels: Any, numbers: list[int], names: tuple[str, ...]
) -> None:
    columns = {"id": [1, 2, 3], "jpg": [png(i) for i in range(3)], **({} if labels is None else {"cls": labels})}
    said = imported(brew_run, parquet(tmp_path / "set.parquet", columns), tmp_path / "out")
    found = sorted(records(tmp_path / "out/train_lmdb").items())
    assert [datum.data for _, datum in found] == columns["jpg"] and [datum.label for _, datum in found] == numbers
    assert label_names(tmp_path / "out") == names and ("there are no labels" in said) == (labels is None)


def test_parquet_of_which_a_table_has_no_labels(brew_run: Run, tmp_path: Path) -> None:
    for name, columns in (("a", {"cls": ["x"]}), ("b", {}), ("c", {"cls": ["y"]})):
        parquet(tmp_path / f"set/{name}.parquet", {"jpg": pictures(1), **columns})
    said = imported(brew_run, tmp_path / "set", tmp_path / "out")
    assert "there are no labels in some of the tables" in said and label_names(tmp_path / "out") == ("x", "y")


def test_parquet_with_targets(brew_run: Run, tmp_path: Path) -> None:
    columns = {"image": pictures(2), "label": [[0.5, 1.5], [2.0, 3.0]]}
    imported(brew_run, parquet(tmp_path / "set.parquet", columns), tmp_path / "out")
    targets = [list(d.float_data) for _, d in sorted(records(tmp_path / "out/train_targets_lmdb").items())]
    assert targets == [[0.5, 1.5], [2, 3]]


def test_parquet_that_cannot_be_used(brew_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, file = tmp_path / "out", tmp_path / "set.parquet"
    parquet(file, {"a": [1, 2], "b": ["x", "y"]})
    assert "has no column of pictures' bytes: it has a (int64), b (string)" in refused(brew_run, file, out)
    parquet(file, {"image": pictures(2), "label": [0, None]})
    assert "label has nothing in row 1" in refused(brew_run, file, out)
    parquet(file, {"image": pictures(2), "label": [0, 5]}, ["x", "y"])
    assert "has the class 5; the table names 2, from 0 on" in refused(brew_run, file, out)
    parquet(file, {"image": pictures(2), "label": [[1, 2], [3]]})
    assert "label cannot be made an array" in refused(brew_run, file, out)
    parquet(file, {"image": [*pictures(1), None], "label": [0, 1]})
    assert "set/00001: row 1 of" in refused(brew_run, file, out) and "has no picture" in refused(brew_run, file, out)
    assert "has no column photo" in refused(brew_run, file, out, "--set", "image=photo")
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    assert "set.parquet cannot be read as Parquet" in refused(brew_run, file, out)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    outcome = brew_run("data", "import", str(file), str(out))
    assert outcome.code == 6 and 'pip install "brew-caffe[parquet]"' in outcome.err


def shard(path: Path, members: list[tuple[str, bytes]], mode: str = "w") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_webdataset(brew_run: Run, tmp_path: Path, packed: bool) -> None:
    end, mode = (".tar.gz", "w:gz") if packed else (".tar", "w")
    shard(
        tmp_path / f"set/train-000{end}",
        [("./a/1.cls", b"2\n"), ("./a/1.png", png(1)), ("a/2.png", png(2)), ("a/2.cls", b"0")],
        mode,
    )
    shard(
        tmp_path / f"set/train-001{end}",
        [("a/1.PNG", png(3)), ("a/1.cls", b"1"), ("a/1.txt", b"a caption"), ("readme", b"x")],
        mode,
    )
    shard(tmp_path / f"set/val-000{end}", [("v.json", b'{"label": 1, "width": 6}'), ("v.png", png(4))], mode)
    names = tmp_path / "names"
    names.write_text("x\ny\nz\n")
    imported(brew_run, tmp_path / "set", tmp_path / "out", "--set", f"classes={names}")
    train = {name: (datum.label, datum.data) for name, datum in records(tmp_path / "out/train_lmdb").items()}
    assert train == {"train-000/a/1": (2, png(1)), "train-000/a/2": (0, png(2)), "train-001/a/1": (1, png(3))}
    assert [(d.label, d.data) for d in records(tmp_path / "out/val_lmdb").values()] == [(1, png(4))]
    assert label_names(tmp_path / "out") == ("x", "y", "z")


def test_samples_of_one_key_in_several_shards(brew_run: Run, tmp_path: Path) -> None:
    for number in range(2):
        members = [("1.png", png(number)), ("1.cls", b"%d" % number), ("2.cls", b"0"), ("2.heic", b"x")]
        shard(tmp_path / f"set/train.{number}.tar", members)
    told = imported(brew_run, tmp_path / "set", tmp_path / "out")
    found = records(tmp_path / "out/train_lmdb")
    assert {name: datum.label for name, datum in found.items()} == {"train.0/1": 0, "train.1/1": 1}
    assert "2 samples left out, without a picture: train.0/2, train.1/2" in told
    shard(tmp_path / "set/train.1.tar.gz", [("1.png", png(3)), ("1.cls", b"1")], "w:gz")
    error = refused(brew_run, tmp_path / "set", tmp_path / "again")
    assert "train.1/1: two shards have it, train.1.tar.gz is the second" in error


def test_webdataset_with_names_and_masks(brew_run: Run, tmp_path: Path) -> None:
    out = io.BytesIO()
    mask = np.arange(24, dtype=np.uint8).reshape(4, 6)
    Image.fromarray(mask).save(out, "PNG")
    members = [("1.png", png(1)), ("1.seg.png", out.getvalue()), ("1.json", b'{"class": "dog"}'),
               ("2.png", png(2)), ("2.seg.png", out.getvalue()), ("2.json", b'"cat"')]  # fmt: skip
    imported(brew_run, shard(tmp_path / "set.tar", members), tmp_path / "out", "--raw")
    assert label_names(tmp_path / "out") == ("cat", "dog")
    found = records(tmp_path / "out/train_masks_lmdb")
    assert found.keys() == records(tmp_path / "out/train_lmdb").keys() == {"set/1", "set/2"}
    assert found["set/1"].data == mask.tobytes()


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("2.png", png(2))], "set/2: it has no label, which others have"),
        ([("2.png", png(2)), ("2.cls", b"\xff")], "2.cls cannot be read"),
        ([("2.png", png(2)), ("2.json", b"[" * 100_000)], "2.json cannot be read"),
        ([("2.png", png(2)), ("2.json", b'{"label": [1]}')], "2.json is no class: a number or a name is expected"),
        ([("2.png", png(2)), ("2.cls", b"-3")], 'set/2: it is of "-3", which is not in the list of classes'),
        ([("2.png", png(2)), ("2.png", png(3)), ("2.cls", b"1")], "set/2.png: there are several of this name"),
        ([("2.png", b"GIF89a"), ("2.cls", b"1")], "set/2"),
    ],
)
def test_a_broken_sample_is_one_item(
    brew_run: Run, tmp_path: Path, members: list[tuple[str, bytes]], message: str
) -> None:
    source = shard(tmp_path / "set.tar", [("1.png", png(1)), ("1.cls", b"0"), *members])
    assert message in refused(brew_run, source, tmp_path / "out")
    imported(brew_run, source, tmp_path / "out", "--max-bad", "1")
    assert "set/1" in records(tmp_path / "out/train_lmdb")


def test_links_and_cut_shards(brew_run: Run, tmp_path: Path) -> None:
    source = tmp_path / "set.tar"
    shard(source, [("1.png", png(1)), ("1.cls", b"0")])
    with tarfile.open(source, "a") as archive:
        for name, kind in (("2.png", tarfile.SYMTYPE), ("3.png", tarfile.LNKTYPE), ("4.png", tarfile.FIFOTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    error = refused(brew_run, source, tmp_path / "out")
    assert "set/2.png: it is a link; set/3.png: it is a link; set/4.png: it is no regular file" in error
    whole = shard(
        tmp_path / "cut.tar", [("1.png", png(1)), ("1.cls", b"0"), ("2.cls", b"0"), ("2.png", png(2))]
    ).read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[: 512 * 6 + 100])
    assert "cut" in refused(brew_run, tmp_path / "cut.tar", tmp_path / "out")
    bomb = shard(tmp_path / "bomb.tar.gz", [("1.png", bytes(64 << 20)), ("1.cls", b"0")], "w:gz")
    assert "it is taken for a bomb" in refused(brew_run, bomb, tmp_path / "out", "--kind", "webdataset")

"""The folder that random nets are run in: tiny files of every kind that data layers read, under names that do not change."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

from brew.data.databases.lmdb_writer import write_lmdb
from brew.proto.brew_pb2 import Datum


def write(folder: Path) -> None:
    """Five records, rows, images and windows."""
    rng = np.random.default_rng(0)
    records = [
        (b"%08d" % i, Datum(channels=3, height=6, width=6, data=rng.integers(0, 256, 108, np.uint8).tobytes(), label=i % 3).SerializeToString())
        for i in range(5)
    ]  # fmt: skip
    write_lmdb(folder / "some_lmdb", records)
    with h5py.File(folder / "some.h5", "w") as file:
        file["rows"], file["more"] = rng.uniform(-1, 1, (5, 4, 3)).astype("f4"), rng.uniform(-1, 1, (5, 2)).astype("f4")
    (folder / "some_files.txt").write_text("some.h5\n")
    for number in range(3):
        Image.fromarray(rng.integers(0, 256, (8, 9, 3), np.uint8)).save(folder / f"{number}.png")
    (folder / "some_list.txt").write_text("".join(f"{n}.png {n}\n" for n in range(3)))
    windows = "2\n1 0.9 1 1 6 6\n0 0.1 2 2 7 5\n"
    (folder / "some_windows.txt").write_text("".join(f"# {n}\n{n}.png\n3\n8\n9\n{windows}" for n in range(3)))


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """The working directory is `folder`, with these files."""
    before = Path.cwd()
    write(folder)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)

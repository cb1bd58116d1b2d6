"""Small databases for the data layers, made in the folder the benchmark runs in."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from brew.data.databases.lmdb_writer import write_lmdb
from brew.net.net import Net
from brew.proto.brew_pb2 import Datum


def lmdb(folder: Path) -> None:
    """64 images of 3 x 256 x 256, as bytes."""
    random = np.random.default_rng(0)
    datums = (Datum(channels=3, height=256, width=256, data=random.bytes(3 << 16), label=i) for i in range(64))
    write_lmdb(folder / "lmdb", ((b"%08d" % i, datum.SerializeToString()) for i, datum in enumerate(datums)))


def hdf5(folder: Path) -> None:
    """512 rows of 3 x 64 x 64 and a label."""
    import h5py

    with h5py.File(folder / "rows.h5", "w") as file:
        file["y0"] = np.random.default_rng(0).random((512, 3, 64, 64), np.float32)
        file["y1"] = np.arange(512, dtype=np.float32)
    (folder / "files.txt").write_text(f"{folder / 'rows.h5'}\n")


def _jpeg(folder: Path, number: int, width: int, height: int) -> Path:
    from PIL import Image

    coarse = np.random.default_rng(number).integers(0, 256, (height // 16, width // 16, 3), np.uint8)
    path = folder / f"{number}.jpg"
    Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(path, quality=90)
    return path


def images(folder: Path) -> None:
    """16 JPEG files of 256 x 256."""
    (folder / "list.txt").write_text("".join(f"{_jpeg(folder, i, 256, 256)} {i}\n" for i in range(16)))


def windows(folder: Path) -> None:
    """8 JPEG files of 500 x 375, with an object and a piece of background in each."""
    lines = []
    for i in range(8):
        boxes = ["2", "1 0.9 20 20 320 300", "0 0.1 5 5 200 150"]
        lines += [f"# {i}", str(_jpeg(folder, i, 500, 375)), "3", "375", "500", *boxes]
    (folder / "windows.txt").write_text("\n".join(lines) + "\n")


def halving(folder: Path) -> None:
    """A layer in Python: one pass over the memory."""
    (folder / "halving.py").write_text(
        "import numpy as np\n"
        "from brew.python_layer import PythonLayer\n"
        "class Halve(PythonLayer):\n"
        "    def setup(self, bottom, top): pass\n"
        "    def reshape(self, bottom, top): top[0].reshape(*bottom[0].shape)\n"
        "    def forward(self, bottom, top): np.multiply(bottom[0].data, 0.5, out=top[0].data)\n"
        "    def backward(self, top, down, bottom): np.multiply(top[0].diff, 0.5, out=bottom[0].diff)\n"
    )


def remember(net: Net) -> None:
    """Hands 64 images to MemoryData."""
    net.set_input_arrays(np.ones((64, 3, 227, 227), np.float32), np.arange(64, dtype=np.float32))

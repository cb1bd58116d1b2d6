"""Draws sheet_net.png and sheet_boxes.png by `brew data show`, of figures: python docs/images/sheets.py [DIR]."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from brew.data.databases.lmdb_writer import write_lmdb
from brew.datasets.annotated import annotated_datum
from brew.datasets.geometry import placement
from brew.datasets.records import datum
from brew.datasets.sources.items import Box

HERE = Path(__file__).parent
KINDS = ("disc", "square", "triangle", "star")
FINE = 4  # drawn larger, for smooth edges
NET = """
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
        transform_param { crop_size: 48 mirror: true mean_value: 118 scale: 0.0078125 }
        data_param { source: "shapes_lmdb" batch_size: 32 } }
"""


def ground(random: np.random.Generator, height: int, width: int) -> Image.Image:
    """A soft field of two colours."""
    corners = random.integers(150, 250, (2, 2, 3)).astype(np.uint8)
    return Image.fromarray(corners).resize((width * FINE, height * FINE), Image.Resampling.BICUBIC)


def shape(canvas: Image.Image, random: np.random.Generator, kind: int, x: float, y: float, radius: float) -> None:
    """A figure with a shadow."""
    turn = random.uniform(0, math.tau)
    corners = {0: 48, 1: 4, 2: 3, 3: 10}[kind]
    reach = [radius * (0.45 if kind == 3 and i % 2 else 1) for i in range(corners)]
    points = [(x + r * math.cos(turn + math.tau * i / corners), y + r * math.sin(turn + math.tau * i / corners))
              for i, r in enumerate(reach)]  # fmt: skip
    shadow = Image.new("L", canvas.size)
    ImageDraw.Draw(shadow).polygon([((px + 2) * FINE, (py + 2.5) * FINE) for px, py in points], 110)
    canvas.paste((40, 40, 60), mask=shadow.filter(ImageFilter.GaussianBlur(2 * FINE)))
    colour = tuple(int(value) for value in random.integers(20, 200, 3))
    ImageDraw.Draw(canvas).polygon([(px * FINE, py * FINE) for px, py in points], colour)


def pixels(canvas: Image.Image) -> np.ndarray:
    small = canvas.resize((canvas.width // FINE, canvas.height // FINE), Image.Resampling.BOX)
    return np.ascontiguousarray(np.asarray(small)[:, :, ::-1].transpose(2, 0, 1))


def write_shapes(folder: Path) -> None:
    """One figure in each picture, its class the label."""
    random = np.random.default_rng(4)
    records = []
    for number in range(6):
        canvas, kind = ground(random, 64, 64), number % len(KINDS)
        shape(canvas, random, kind, *random.uniform(26, 38, 2), random.uniform(17, 23))
        made = datum(pixels(canvas))
        made.label = kind
        records.append((b"%08d_%s_%d.png" % (number, KINDS[kind].encode(), number), made.SerializeToString()))
    write_lmdb(folder, records)
    (folder / "labels.txt").write_text("\n".join(KINDS))


def write_boxes(folder: Path) -> None:
    """Several figures in each picture, and their boxes."""
    random = np.random.default_rng(11)
    records = []
    for number in range(3):
        canvas, boxes = ground(random, 120, 160), []
        for place in random.permutation(6)[: 3 + number % 3]:
            kind, radius = int(random.integers(len(KINDS))), random.uniform(14, 22)
            x, y = 28 + 52 * (place % 3) + random.uniform(-4, 4), 32 + 56 * (place // 3) + random.uniform(-4, 4)
            shape(canvas, random, kind, x, y, radius)
            boxes.append(Box(kind + 1, x - radius, y - radius, x + radius, y + radius))
        made = annotated_datum(datum(pixels(canvas)), boxes, placement((120, 160), None, "warp"))
        records.append((b"%08d_scene_%d.png" % (number, number), made.SerializeToString()))
    write_lmdb(folder, records)
    (folder / "labels.txt").write_text("\n".join(["background", *KINDS]))


def draw(out: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_shapes(Path(folder, "shapes_lmdb"))
        write_boxes(Path(folder, "scenes_lmdb"))
        Path(folder, "net.prototxt").write_text(NET)
        environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
        for asked in (["net.prototxt", "--draws", "3", "--out", f"{out}/sheet_net.png"],
                      ["scenes_lmdb", "--out", f"{out}/sheet_boxes.png", "--side", "208"]):  # fmt: skip
            command = [sys.executable, "-m", "brew", "data", "show", *asked, "--overwrite"]
            subprocess.run(command, cwd=folder, check=True, capture_output=True, env=environment)


if __name__ == "__main__":
    draw(Path(sys.argv[1] if len(sys.argv) > 1 else HERE).resolve())

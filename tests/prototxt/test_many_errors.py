"""Nets with thousands of mistakes: the time to find them grows with their number, and no faster."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from brew.checks import files
from brew.checks.finding import folded, merged
from brew.checks.states import Options

LAYER = 'layer {{ name: "r{0}" type: "ReLU" bottom: "b{0}" top: "b{1}" }}'
MISTAKES = {
    "an unknown field": LAYER.replace('type: "ReLU"', 'type: "ReLU" relu_param {{ slope: 1 }}'),
    "an unknown type": LAYER.replace("ReLU", "Relu"),
    "unknown types": LAYER.replace("ReLU", "Relu{0}"),
    "unknown blobs": LAYER.replace('bottom: "b{0}"', 'bottom: "nob{0}"'),
    "blobs of further down": LAYER.replace('bottom: "b{0}"', 'bottom: "b{2}"'),
    "a blob made twice": LAYER.replace('top: "b{1}"', 'top: "b{1}" top: "b0"'),
}


def seconds(layer: str, count: int, folder: Path) -> tuple[float, int]:
    """Processor time of a check, the fastest of three, and how many findings it has."""
    lines = ['layer { name: "x" type: "Input" top: "b0" input_param { shape { dim: 1 dim: 4 } } }']
    lines += [layer.format(i, i + 1, i + 2) for i in range(count)]
    path = folder / "net.prototxt"
    path.write_text("\n".join(lines))
    fastest = 1e9
    for _ in range(3):
        began = time.process_time()
        found = merged(files.check(str(path), Options()), [str(path)])
        texts = [str(finding) for finding in folded(found)]
        fastest = min(fastest, time.process_time() - began)
        assert max(map(len, texts), default=0) < 2000
    return fastest, len(found)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_time_grows_with_their_number(mistake: str, tmp_path: Path) -> None:
    seconds(MISTAKES[mistake], 1, tmp_path)  # what is read once
    few, number = seconds(MISTAKES[mistake], 75, tmp_path)
    many, _ = seconds(MISTAKES[mistake], 600, tmp_path)
    assert number >= 1
    assert many < 3 * 8 * max(few, 0.02), f"{few:.3f} s for 75, {many:.3f} s for 600"

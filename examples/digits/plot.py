"""Draw a training log of Brew's (or Caffe's) as SVG: loss of the train net, accuracy of the test net.

    brew train --solver examples/digits/solver.prototxt 2> train.log
    python examples/digits/plot.py train.log curve.svg

Needs nothing but Python.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path

Point = tuple[float, float]

WIDTH, HEIGHT = 380, 260  # of a panel
LEFT, RIGHT, TOP, BOTTOM = 52, 24, 34, 40  # of the axes within it
BLUE, ORANGE, GRAY = "#1f6feb", "#d9480f", "#6e7781"


def read(log: str, which: str, name: str) -> list[Point]:
    """(iteration, value) of output `name` of the "Train" or "Test" net, in the order of the log."""
    points, iteration = [], 0
    for line in log.splitlines():
        if at := re.search(r"Iteration (\d+)", line):
            iteration = int(at[1])
        if found := re.search(rf"{which} net output #\d+: {name} = (\S+)", line):
            points.append((float(iteration), float(found[1])))
    return points


def panel(points: Sequence[Point], title: str, colour: str, x: int, last: float, high: float, percent: bool) -> str:
    """One chart from 0 to `last` and 0 to `high`: axes with five ticks each way, and the line."""

    def place(point: Point) -> str:
        across = x + LEFT + point[0] / last * (WIDTH - LEFT - RIGHT)
        down = HEIGHT - BOTTOM - point[1] / high * (HEIGHT - TOP - BOTTOM)
        return f"{across:.1f},{down:.1f}"

    parts = [f'<text x="{x + LEFT}" y="20" font-weight="600" fill="{colour}">{title}</text>']
    for tick in range(5):
        value = high * tick / 4
        text = f"{100 * value:.0f} %" if percent else f"{value:.3g}"
        ends = [place((0, value)), place((last, value))]
        y = float(ends[0].split(",")[1])
        parts.append(f'<polyline points="{" ".join(ends)}" stroke="{GRAY}" stroke-opacity=".25" fill="none"/>')
        parts.append(f'<text x="{x + LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="{GRAY}">{text}</text>')
        across = place((last * tick / 4, 0)).split(",")[0]
        label = f"{last * tick / 4:.0f}"
        parts.append(f'<text x="{across}" y="{HEIGHT - 20}" text-anchor="middle" fill="{GRAY}">{label}</text>')
    line = " ".join(place(point) for point in points)
    parts.append(f'<polyline points="{line}" stroke="{colour}" stroke-width="2" fill="none" stroke-linejoin="round"/>')
    parts.append(f'<text x="{x + WIDTH - RIGHT}" y="{HEIGHT - 4}" text-anchor="end" fill="{GRAY}">iteration</text>')
    return "\n".join(parts)


def draw(loss: Sequence[Point], accuracy: Sequence[Point]) -> str:
    """The whole picture."""
    best = f"test accuracy, {100 * accuracy[-1][1]:.1f} % at the end"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * WIDTH} {HEIGHT}" '
        'font-family="system-ui, sans-serif" font-size="12">'
    )
    frame = f'<rect width="{2 * WIDTH}" height="{HEIGHT}" rx="6" fill="white"/>'
    last = max(p[0] for p in (*loss, *accuracy)) or 1
    left = panel(loss, "training loss", ORANGE, 0, last, math.ceil(max(p[1] for p in loss)), percent=False)
    right = panel(accuracy, best, BLUE, WIDTH, last, 1, percent=True)
    return "\n".join([head, frame, left, right, "</svg>\n"])


def main(log: str, picture: str) -> None:
    text = Path(log).read_text()
    loss, accuracy = read(text, "Train", "loss"), read(text, "Test", "accuracy")
    if not loss or not accuracy:
        sys.exit(f"{log}: no train loss or no test accuracy in it; was display or test_interval 0?")
    Path(picture).write_text(draw(loss, accuracy))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} TRAIN_LOG PICTURE.svg")
    main(*sys.argv[1:])

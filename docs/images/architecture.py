"""Draws architecture.svg, the rooms of `brew/`, from the imports: python docs/images/architecture.py ("-" prints it).

A room stands one floor above the highest room that it imports. An arrow leads to each room that is imported and is not
reached by another way as well.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

import rooms  # noqa: E402

WIDTH, ROW, BOX_WIDTH, BOX = 1000, 78, 132, 42
COLUMN = {  # the middle of each box; arrows over several floors pass between the others
    "files": 250, "cuda": 640, "model_zoo": 920, "prototxt": 110, "layer": 520, "cpu": 330, "memory": 500, "ops": 770,
    "testing": 920, "data": 290, "python_layer": 610, "graph": 240, "layers": 850, "net": 430, "solver": 560,
    "caffe": 450, "datasets": 76, "checks": 620, "reports": 300, "solvers": 770, "tools": 480, "predictor": 920,
    "page": 200,
}  # fmt: skip
INK, PAPER, LINE, BESIDE = "#343a40", "#fff4e6", "#d9480f", "#f1f3f5"


def drawn_rooms() -> dict[str, set[str]]:
    """By room, the rooms it imports: those of `brew/`, and those beside it; the ground floor is left out."""
    graph = rooms.between(rooms.edges())
    names = [name for name in graph if name not in rooms.GROUND]
    return {name: {below for below in graph[name] if below in names} for name in names}


def reduced(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """Without the arrows that longer ways make superfluous."""

    def reach(room: str) -> set[str]:
        return {far for below in graph[room] for far in {below, *reach(below)}}

    return {
        room: {below for below in targets if not any(below in reach(other) for other in targets - {below})}
        for room, targets in graph.items()
    }


def places(graph: dict[str, set[str]]) -> dict[str, tuple[float, float]]:
    """The middle of each room's box: its column is chosen by hand, its height follows from the imports."""
    floors = rooms.floors(graph)
    top = max(floors.values())
    return {room: (COLUMN[room], 20 + BOX / 2 + (top - floors[room]) * ROW) for room in graph}


def modules(room: str) -> int:
    folder = ROOT / (room if room in rooms.BESIDE else f"brew/{room}")
    return len([p for p in folder.rglob("*.py") if p.stem != "__init__"]) or 1


def box(room: str, x: float, y: float) -> str:
    fill = BESIDE if room in rooms.BESIDE else PAPER
    count = modules(room)
    said = f"{count} module{'s' * (count > 1)}"
    return (
        f'<rect x="{x - BOX_WIDTH / 2:g}" y="{y - BOX / 2:g}" width="{BOX_WIDTH}" height="{BOX}" rx="6" fill="{fill}" '
        f'stroke="{INK}"/><text x="{x:g}" y="{y - 2:g}" font-weight="bold">{room}</text>'
        f'<text x="{x:g}" y="{y + 13:g}" font-size="10">{said}</text>'
    )


def arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    (x, y), (u, v) = start, end
    y, v = y + BOX / 2, v - BOX / 2 - 4
    return (
        f'<path d="M{x:g},{y:g} C{x:g},{y + 30:g} {u:g},{v - 30:g} {u:g},{v:g}" fill="none" stroke="{LINE}" '
        f'stroke-opacity="0.7" marker-end="url(#end)"/>'
    )


def main() -> None:
    graph = drawn_rooms()
    at = places(graph)
    height = max(y for _, y in at.values()) + BOX
    arrows = [
        arrow(at[room], at[below]) for room, targets in sorted(reduced(graph).items()) for below in sorted(targets)
    ]
    boxes = [box(room, *at[room]) for room in sorted(at)]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" font-family="sans-serif" '
        f'font-size="13" text-anchor="middle" fill="{INK}">\n<rect width="100%" height="100%" fill="white"/>\n'
        '<defs><marker id="end" markerWidth="7" markerHeight="7" refX="5" refY="3.5" orient="auto">'
        f'<path d="M0,0 L7,3.5 L0,7 z" fill="{LINE}"/></marker></defs>'
    )
    svg = "\n".join([head, *arrows, *boxes, "</svg>\n"])
    if sys.argv[1:] == ["-"]:
        print(svg, end="")
    else:
        (Path(__file__).parent / "architecture.svg").write_text(svg)


if __name__ == "__main__":
    main()

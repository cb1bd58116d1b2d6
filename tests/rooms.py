"""The rooms of `brew/`: what each may import, and what each does import, read off the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Every room may import these; they import nothing of Brew but one another.
GROUND = ("errors", "plain_text", "proto", "units", "version")
# What else each room may import, lowest first.
MAY_IMPORT = {
    "files": "",
    "cuda": "",
    "prototxt": "files",
    "layer": "files cuda prototxt",
    "cpu": "files layer",
    "ops": "cuda layer",
    "testing": "cuda layer",
    "data": "files cuda layer cpu",
    "datasets": "files layer cpu data",
    "memory": "cuda layer cpu",
    "python_layer": "cuda layer memory",
    "graph": "files prototxt layer data",
    "net": "files cuda prototxt layer cpu data memory graph",
    "solver": "files cuda prototxt layer cpu ops data memory graph net",
    "checks": "files prototxt layer data datasets graph net solver",
    "reports": "files prototxt layer data datasets memory graph net",
    "page": "files cuda prototxt layer data graph net solver reports",
    "caffe": "files cuda prototxt layer data memory python_layer graph net solver reports",
    "predictor": "files cuda prototxt layer cpu data datasets memory graph net solver reports model_zoo",
    "layers": "files cuda prototxt layer ops data memory python_layer",
    "layers/onednn": "layers layer cpu ops",
    "solvers": "cuda layer solver",
    "model_zoo": "",
    "model_zoo/generators": "caffe graph layer model_zoo prototxt reports",
    "tools": "files cuda prototxt layer cpu ops data datasets memory graph net solver checks reports page model_zoo caffe",
}
# Rooms with rooms inside: "." is what stands in the room itself. Each may import those before it.
INSIDE = {
    "files": ". weights",
    "cpu": ". onednn llvm native pixels",
    "ops": ". windows",
    "data": "databases images augment . hdf5 sets",
    "datasets": "sources features . stored",
    "graph": ". rewriting",
    "net": "run .",
    "solver": "update scoring training snapshots .",
    "caffe": "images python2 .",
    "reports": "drawing sheets curves .",
    "checks": ". records",
    "layers": ". onednn",
    "model_zoo": ". generators",
    "tools": "parts data programs .",
}
# Scripts that nothing imports: above all rooms, whatever room they stand in.
SCRIPTS = ("model_zoo/generators",)
# All that may stand in `brew/` itself.
OWN_FILES = ("__init__", "__main__", "errors", "plain_text", "python_layer", "testing", "units", "version")
MOST_MODULES = 20  # of a folder
BESIDE = ("layers", "model_zoo", "proto", "solvers", "tools")  # rooms beside `brew/` in a checkout


def module_of(path: Path, root: Path = ROOT) -> str:
    """`brew.net.run.step` of brew/net/run/step.py, `brew.layers.relu` of layers/relu.py."""
    parts = path.relative_to(root).with_suffix("").parts
    parts = parts if parts[0] == "brew" else ("brew", *parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path, root: Path = ROOT) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(module, names taken from it) of each import of Brew in a file, those for types and inside functions too."""
    module = module_of(path, root)
    package = module if path.stem == "__init__" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, ()) for alias in node.names if alias.name.split(".")[0] == "brew")
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *filter(None, [node.module])])
            if base.split(".")[0] == "brew":
                yield base, tuple(alias.name for alias in node.names)


def edges(root: Path = ROOT, *rooms: str) -> dict[str, set[str]]:
    """By module of these rooms (all of them), the modules of Brew that it imports."""
    paths = {
        module_of(path, root): path
        for room in rooms or ("brew", *BESIDE)
        for path in sorted((root / room).rglob("*.py"))
    }
    found: dict[str, set[str]] = {}
    for module, path in paths.items():
        found[module] = set()
        for base, names in imported(path, root):
            for name in names or ("",):
                target = f"{base}.{name}"
                found[module].add(target if target in paths else base)
        found[module].discard(module)
    return found


def place(module: str) -> tuple[str, str]:
    """(room, room inside it): ("net", "run") of brew.net.run.step, ("net", ".") of brew.net.net, ("errors", ".")."""
    parts = module.split(".")[1:]
    room = parts[0] if parts else ""
    inner = parts[1] if len(parts) > 1 and parts[1] in INSIDE.get(room, "").split() else "."
    return room, inner


def astray(module: str, target: str) -> str | None:
    """Why `module` may not import `target`; None where it may."""
    (room, inner), (other, deeper) = place(module), place(target)
    if other in GROUND or module in ("brew", "brew.__main__"):
        return None
    if room in GROUND:
        return f"{room} is on the ground floor"
    if not other:
        return None if room == "tools" else "the public face is for those outside"
    if room == other:
        order = INSIDE.get(room, ".").split()
        return f"{deeper} stands above {inner}" if order.index(deeper) > order.index(inner) else None
    row = MAY_IMPORT.get(f"{room}/{inner}", MAY_IMPORT.get(room, ""))
    return None if other in row.split() else f"{room} may import {row or 'no other room'}"


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """Modules that import one another in a circle; empty where there is none."""
    try:
        TopologicalSorter({module: targets & graph.keys() for module, targets in graph.items()}).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def between(graph: Mapping[str, set[str]], *, inner: bool = False) -> dict[str, set[str]]:
    """The same by rooms, or with `inner` by rooms inside rooms; without scripts."""

    def name(module: str) -> str:
        room, deeper = place(module)
        return f"{room}/{deeper}" if inner else room

    found: dict[str, set[str]] = {}
    for module, targets in graph.items():
        if module not in ("brew", "brew.__main__") and "/".join(place(module)) not in SCRIPTS:
            found.setdefault(name(module), set()).update(name(t) for t in targets if t != "brew")
    return {room: targets - {room} for room, targets in found.items()}


def floors(graph: Mapping[str, set[str]]) -> dict[str, int]:
    """How high each room stands: one above the highest that it imports."""
    height: dict[str, int] = {}
    for room in TopologicalSorter(graph).static_order():
        height[room] = 1 + max((height[below] for below in graph.get(room, ())), default=0)
    return height


def sentence(room: str, root: Path = ROOT) -> str:
    """The first paragraph of the docstring of a room's `__init__.py`; its words may follow."""
    docstring = ast.get_docstring(ast.parse((root / "brew" / room / "__init__.py").read_text())) or ""
    return docstring.split("\n\n")[0].replace("\n", " ")

"""The rules of the house, read off the source: imports, names, packaging, sizes, doctests, the README."""

from __future__ import annotations

import ast
import doctest
import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

import pytest
import rooms

import brew
from brew.layer import Layer
from brew.layer.registry import layer_class, layer_type_list, stem

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("brew", "layers", "solvers", "proto", "tools", "model_zoo")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

# Over 300 lines, and why.
LONG_FILES: dict[str, str] = {}

# Outside packages with one door each: the files that may import them.
DOORS = {
    "cupy": ("brew/cuda/door.py",),
    "cupy_backends": ("brew/cuda/door.py",),
    "click": ("tools/",),
    "rich": ("tools/",),
    "lmdb": ("brew/data/databases/", "brew/checks/records/"),
    "plyvel": ("brew/data/databases/",),
    "h5py": ("brew/files/weights/", "brew/data/hdf5/", "brew/checks/"),
    "PIL": (
        "brew/data/",
        "brew/checks/records/",
        "brew/caffe/images/files.py",
        "brew/reports/drawing/png.py",
        "brew/reports/sheets/",
        "brew/reports/curves/png.py",
        "brew/caffe/python2/images.py",
    ),
    "pyarrow": ("brew/datasets/sources/arrays/parquet.py",),
    "llvmlite": ("brew/cpu/llvm/compiler.py",),
    "safetensors": ("brew/files/weights/safetensors.py",),
    "soundfile": ("brew/datasets/features/sound/files.py",),
    "simplejpeg": ("brew/data/images/jpeg.py",),
    "tensorboardX": ("brew/solver/tensorboard.py", "brew/reports/curves/events.py"),
    "threadpoolctl": ("brew/cpu/threads.py",),
}
LAZY = {
    "llvmlite",
    "pyarrow",
    "safetensors",
    "simplejpeg",
    "soundfile",
    "threadpoolctl",
    "lmdb",
    "h5py",
    "plyvel",
    "PIL",
    "cupy",
    "rich",
    "tensorboardX",
}

# What types of layers a net is made of no room asks: they state facts (brew.layer.contract). Named all the same:
NAMED_TYPES = {
    "brew/graph/splits.py": {"Split"},  # the layer that it puts in
    "brew/graph/foreign.py": {"Scale"},  # beside which a field of a fork says nothing
}


def sources(*rooms: str) -> list[Path]:
    return sorted(path for room in rooms or ROOMS for path in (ROOT / room).rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[str, int, bool]]:
    """(module, relative level, whether it runs at import) of each import statement, but for those for types only."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    inside = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        eager = id(node) not in inside
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0, eager) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = [f"brew.{alias.name}" for alias in node.names] if node.module == "brew" else [node.module or ""]
            yield from ((name, node.level, eager) for name in names)


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_of_others_have_one_door(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    for module, level, eager in imports(path):
        outside = module.split(".")[0]
        if level:
            assert level == 1, f"{name} climbs out of its room: {'.' * level}{module}"
        elif outside in DOORS:
            assert name.startswith(DOORS[outside]), f"{name} imports {outside}; only {DOORS[outside]} may"
            assert not (eager and outside in LAZY), f"{name} imports {outside} at its top"
        elif outside == "brew" and path.name != "__init__.py":
            own, last = rooms.module_of(path).rpartition(".")[0], module.rpartition(".")[2]
            beside = module == own or (module == f"{own}.{last}" and path.with_name(f"{last}.py").is_file())
            assert own == "brew" or not beside, f"{name} imports its own room by the long way: {module}"


def test_the_rule_on_doors_can_fail(tmp_path: Path) -> None:
    culprit = tmp_path / "culprit.py"
    culprit.write_text("import cupy\nfrom brew import net\ndef f():\n    from ..core import x\n")
    assert list(imports(culprit)) == [("cupy", 0, True), ("brew.net", 0, True), ("core", 2, False)]


# --- the rooms of brew/: tests/rooms.py has the table ------------------------------------------------------------------

EDGES = rooms.edges()


def test_nothing_imports_scripts() -> None:
    above = {
        module: {t for t in targets if "/".join(rooms.place(t)) in rooms.SCRIPTS} for module, targets in EDGES.items()
    }
    assert [m for m, found in above.items() if found and "/".join(rooms.place(m)) not in rooms.SCRIPTS] == []


def strays(edges: dict[str, set[str]]) -> list[str]:
    return [
        f"{module} -> {target}: {why}"
        for module, targets in sorted(edges.items())
        for target in sorted(targets)
        if (why := rooms.astray(module, target)) is not None
    ]


def test_every_import_leads_down() -> None:
    assert strays(EDGES) == []


@pytest.mark.parametrize(
    ("module", "target"),
    [
        ("brew.memory.plan", "brew.net.run.step"),  # a room above
        ("brew.cpu.threads", "brew.cpu.native.team"),  # a room inside the room
        ("brew.net.run.step", "brew.net.net"),  # the room around it
        ("brew.errors", "brew.files.regular"),  # the ground floor
        ("brew.solver.solver", "brew"),  # the public face
        ("brew.layers.relu", "brew.net.net"),  # beside brew/
        ("brew.layers.relu", "brew.layers.onednn.relu"),
        ("brew.layer.contract", "brew.layers.relu"),  # a name that only begins with the room's
    ],
)
def test_the_rule_on_directions_can_fail(module: str, target: str) -> None:
    assert len(strays({module: {target}})) == 1


def test_nothing_imports_itself_through_others() -> None:
    """Files, rooms, and rooms inside rooms; imports for types and inside functions count."""
    files = {module: targets for module, targets in EDGES.items() if module != "brew"}
    assert rooms.circle(files) == []
    assert rooms.circle(rooms.between(files)) == []
    assert rooms.circle(rooms.between(files, inner=True)) == []


def test_the_rule_on_circles_can_fail() -> None:
    assert rooms.circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})
    assert rooms.circle(rooms.between({"brew.net.a": {"brew.graph.b"}, "brew.graph.c": {"brew.net.d"}}))


def test_imports_are_read_wherever_they_stand(tmp_path: Path) -> None:
    folder = tmp_path / "brew" / "net"
    folder.mkdir(parents=True)
    (folder / "net.py").write_text(
        "from typing import TYPE_CHECKING\nfrom . import mode\nfrom .run.step import Step\n"
        "if TYPE_CHECKING:\n    from brew.solver import solver\ndef f():\n    import brew.graph.graph\n"
    )
    (folder / "mode.py").write_text("")
    found = rooms.edges(tmp_path, "brew")["brew.net.net"]
    assert found == {"brew.net.mode", "brew.net.run.step", "brew.solver", "brew.graph.graph"}


def too_many(root: Path = ROOT) -> list[str]:
    """Folders with too many modules, and files in `brew/` itself that are not known."""
    folders = [folder for folder in (root / "brew").rglob("*") if folder.is_dir()]
    crowded = [str(f.relative_to(root)) for f in folders if len(modules_in(f)) > rooms.MOST_MODULES]
    return crowded + sorted(modules_in(root / "brew") - set(rooms.OWN_FILES))


def modules_in(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.py")} - ({"__init__"} if folder.name != "brew" else set())


def test_rooms_are_small_and_few() -> None:
    assert too_many() == []
    assert len(rooms.OWN_FILES) <= 8
    own = {path.parent.name for path in (ROOT / "brew").glob("*/__init__.py")} - set(rooms.BESIDE)
    elsewhere = {"layers/onednn", "model_zoo/generators", "python_layer", "testing", *rooms.BESIDE}
    assert own == rooms.MAY_IMPORT.keys() - elsewhere
    assert len(own) <= 17
    assert max(rooms.floors(rooms.between({m: t for m, t in EDGES.items() if m != "brew"})).values()) <= 10


def test_the_rule_on_sizes_can_fail(tmp_path: Path) -> None:
    (tmp_path / "brew" / "net").mkdir(parents=True)
    (tmp_path / "brew" / "util.py").touch()
    for number in range(21):
        (tmp_path / "brew" / "net" / f"m{number}.py").touch()
    assert too_many(tmp_path) == ["brew/net", "util"]


def rooms_with_a_sentence(root: Path = ROOT) -> list[str]:
    folders = sorted(path.parent.relative_to(root / "brew").as_posix() for path in (root / "brew").rglob("__init__.py"))
    return [folder for folder in folders if folder != "."]


def without_a_sentence(root: Path = ROOT) -> list[str]:
    """Rooms whose docstring does not begin with a sentence, or with one that does not stand in CONTRIBUTING.md."""
    contributing = (root / "CONTRIBUTING.md").read_text()
    found = []
    for room in rooms_with_a_sentence(root):
        sentence = rooms.sentence(room, root)
        if not sentence.endswith(".") or f"| `{room}/` | {sentence} |" not in contributing:
            found.append(room)
    return found


def test_every_room_has_a_sentence_that_contributing_tells() -> None:
    assert without_a_sentence() == []


def test_the_rule_on_sentences_can_fail(tmp_path: Path) -> None:
    for room, text in (("net", '"""Nets.\n\nMore."""'), ("graph", '"""Graphs."""'), ("data", "")):
        (tmp_path / "brew" / room).mkdir(parents=True)
        (tmp_path / "brew" / room / "__init__.py").write_text(text)
    (tmp_path / "CONTRIBUTING.md").write_text("| `net/` | Nets. |\n| `graph/` | Nets. |\n")
    assert without_a_sentence(tmp_path) == ["data", "graph"]


def test_the_picture_of_the_rooms_is_current(tmp_path: Path) -> None:
    before = (ROOT / "docs" / "images" / "architecture.svg").read_text()
    script = ROOT / "docs" / "images" / "architecture.py"
    drawn = subprocess.run([sys.executable, str(script), "-"], capture_output=True, text=True, check=True).stdout
    assert drawn == before, "draw it again: python docs/images/architecture.py"


def test_the_core_names_no_layer_type() -> None:
    found = {path.relative_to(ROOT).as_posix(): named_types(path.read_text())
             for path in sources("brew/memory", "brew/net", "brew/graph", "brew/solver")}  # fmt: skip
    assert {name: types for name, types in found.items() if types} == NAMED_TYPES


def test_the_rule_on_types_can_fail() -> None:
    assert named_types('if layer.type == "Python" or "an Input": ...') == {"Python"}


def named_types(text: str) -> set[str]:
    strings = {node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)}
    return {name for name in layer_type_list() if name in strings}


@pytest.mark.parametrize("path", [p for p in sources("layers") if not p.stem.startswith("_")], ids=lambda p: p.stem)
def test_a_layer_is_named_after_its_type(path: Path) -> None:
    module = importlib.import_module(f"brew.layers.{path.stem}")
    [cls] = [
        c for c in vars(module).values() if isinstance(c, type) and c.__module__ == module.__name__ and is_layer(c)
    ]
    assert stem(cls.type) == path.stem
    assert cls.__name__ == cls.type
    assert layer_class(cls.type) is cls
    assert (ROOT / "tests" / "layers" / f"test_{path.stem}.py").is_file()


def is_layer(cls: type) -> TypeGuard[type[Layer]]:
    return issubclass(cls, Layer) and "type" in vars(cls)


def test_packages_in_pyproject_are_the_folders() -> None:
    folders = set()
    for room in ROOMS:
        prefix = "brew" if room == "brew" else f"brew.{room}"
        for init in (ROOT / room).rglob("__init__.py"):
            folders.add(".".join([prefix, *init.parent.relative_to(ROOT / room).parts]))
    assert set(PYPROJECT["tool"]["setuptools"]["packages"]) == folders
    stray = {p.parent for p in sources()} - {p.parent for room in ROOMS for p in (ROOT / room).rglob("__init__.py")}
    assert not stray, "folders with modules but no __init__.py would be missing from the wheel"


def test_data_files_of_the_rooms_go_into_the_wheel() -> None:
    package_data = PYPROJECT["tool"]["setuptools"]["package-data"]
    tracked = subprocess.run(["git", "ls-files", *ROOMS], cwd=ROOT, capture_output=True, text=True).stdout.split()
    for name in tracked:
        path = Path(name)
        if path.suffix == ".py":
            continue
        folder = next(parent for parent in path.parents if (ROOT / parent / "__init__.py").is_file())
        package = ".".join(["brew", *folder.parts[folder.parts[0] == "brew" :]])
        inside = path.relative_to(folder)
        patterns = [p for p in package_data.get(package, []) if p.count("/") == len(inside.parts) - 1]
        assert any(inside.match(pattern) for pattern in patterns), f"{name} is not in the wheel"


def test_no_requirement_names_the_other_brew() -> None:
    project = PYPROJECT["project"]
    groups = [
        project["dependencies"],
        *project["optional-dependencies"].values(),
        *PYPROJECT["dependency-groups"].values(),
    ]
    for requirement in (r for group in groups for r in group):
        name = re.match(r"[A-Za-z0-9._-]+", requirement)
        assert name is not None
        assert name[0].lower() != "brew", requirement
    assert project["name"] == "brew-caffe"
    assert project["version"] == brew.__version__


@pytest.mark.parametrize("room", [room for room in ROOMS if room != "brew"])
def test_a_room_refuses_its_bare_name(room: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    with pytest.raises(ImportError, match=f"brew.{room}"):
        importlib.import_module(room)
    sys.modules.pop(room, None)


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_functions_are_short(path: Path) -> None:
    text, name = path.read_text(), path.relative_to(ROOT).as_posix()
    assert len(text.splitlines()) <= 300 or name in LONG_FILES, f"{name}: split it, or say why in LONG_FILES"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            lines = (node.end_lineno or node.lineno) - node.body[0].lineno + 1
            assert lines <= 40, f"{name}:{node.lineno} {node.name} has {lines} lines"
    assert path.stem not in {"util", "utils", "helpers", "common", "misc"}


def modules() -> list[str]:
    """The dotted names of all our modules."""
    names = []
    for path in sources():
        parts = path.relative_to(ROOT).with_suffix("").parts
        parts = parts if parts[0] == "brew" else ("brew", *parts)
        names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return [name for name in names if not name.endswith("__main__")]


@pytest.mark.parametrize("name", modules())
def test_doctests(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_readme_has_two_commands_of_one_line() -> None:
    readme = (ROOT / "README.md").read_text()
    blocks = re.findall(r"^```bash\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert [block.count("\n") for block in blocks] == [1, 1]
    for heading, block in zip(("Run", "Test"), blocks, strict=True):
        section = readme.split(f"\n## {heading}\n")[1].split("\n## ")[0]
        assert block in section
        assert "-m venv .venv" in block
    links = re.findall(r"\]\(([^)#:]+)\)", readme)
    assert [link for link in links if not (ROOT / link).exists()] == []

"""The rules of the house, read off the source: who imports whom, names, packaging, sizes, doctests, the README."""

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

import brew
from brew.layer import Layer
from brew.registry import layer_class, stem

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("brew", "layers", "solvers", "proto", "tools", "model_zoo")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

# Over 300 lines, and why.
LONG_FILES: dict[str, str] = {}

# What the rooms may import of Brew, as prefixes of module names. Rooms import themselves relatively.
ALLOWED = {
    "proto": (),
    "layers": ("brew.layer", "brew.layout", "brew.registry", "brew.cuda", "brew.ops", "brew.errors", "brew.filler", "brew.random",
               "brew.proto", "brew.data", "brew.wire", "brew.blob", "brew.python_layer", "brew.onednn", "brew.fused", "brew.native", "brew.threads", "brew.choices"),
    "solvers": ("brew.layer", "brew.update", "brew.trust_ratio", "brew.registry", "brew.cuda", "brew.errors", "brew.proto"),
    "brew": ("brew",),
    "tools": ("brew",),
    "model_zoo": ("brew",),
}  # fmt: skip

# Outside packages with one door each: the files that may import them.
DOORS = {
    "cupy": ("brew/_cupy.py",),
    "cupy_backends": ("brew/_cupy.py",),
    "click": ("tools/",),
    "rich": ("tools/",),
    "lmdb": ("brew/data/",),
    "plyvel": ("brew/data/",),
    "h5py": ("brew/",),
    "PIL": ("brew/data/",),
    "llvmlite": ("brew/native/llvm.py",),
    "safetensors": ("brew/safetensors_file.py",),
    "tensorboardX": ("brew/tensorboard.py",),
    "threadpoolctl": ("brew/threads.py",),
}
LAZY = {"llvmlite", "safetensors", "threadpoolctl", "lmdb", "h5py", "plyvel", "PIL", "cupy", "rich", "tensorboardX"}


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


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    room, name = room_of(path), path.relative_to(ROOT).as_posix()
    for module, level, eager in imports(path):
        outside = module.split(".")[0]
        if level:
            assert level == 1, f"{name} climbs out of its room: {'.' * level}{module}"
        elif outside == "brew":
            folder = path.parent.relative_to(ROOT).as_posix().replace("/", ".")
            assert not module.startswith(f"brew.{folder}."), f"{name} imports its own room by the long way: {module}"
            allowed = (*ALLOWED[room], f"brew.{room}.") if folder != room else ALLOWED[room]
            assert module.startswith(allowed), f"{room} must not import {module} ({name})"
            if room == "brew" and name != "brew/__main__.py":
                assert not module.startswith(("brew.tools", "brew.layers", "brew.solvers")), f"{name}: {module}"
        elif outside in DOORS:
            assert name.startswith(DOORS[outside]), f"{name} imports {outside}; only {DOORS[outside]} may"
            assert not (eager and outside in LAZY), f"{name} imports {outside} at its top"


def test_the_rule_on_imports_can_fail(tmp_path: Path) -> None:
    culprit = tmp_path / "culprit.py"
    culprit.write_text("import cupy\nfrom brew import net\ndef f():\n    from ..core import x\n")
    assert list(imports(culprit)) == [("cupy", 0, True), ("brew.net", 0, True), ("core", 2, False)]


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

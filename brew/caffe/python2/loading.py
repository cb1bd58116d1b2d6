"""A finder that gives a script of Python 2 the modules of its own tree translated."""

from __future__ import annotations

import ast
import sys
import sysconfig
import warnings
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from itertools import islice
from pathlib import Path
from types import CodeType, ModuleType

import numpy as np

from .compiling import code_of
from .running import python2

_LOOKED_AT = 300  # files of a folder of sys.path


class Python2Finder:
    """Finds modules that are to be translated: those under `folder`, those elsewhere that Python 3 does not parse, and
    those that stand in one folder of sys.path with such.

    What belongs to Python itself, to Brew, or is installed is left alone. `tell` gets a line for each.
    """

    def __init__(self, folder: Path, tell: Callable[[str], None]) -> None:
        self._folder, self._tell = folder.resolve(), tell
        self._python = Path(sysconfig.get_path("stdlib")).resolve()
        self._old: dict[Path, bool] = {}  # whether a folder of sys.path has Python 2 in it

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        if name.partition(".")[0] == "brew":
            return None
        spec = PathFinder.find_spec(name, path)
        if spec is None or spec.origin is None or type(spec.loader) is not SourceFileLoader:
            return None
        file = Path(spec.origin).resolve()
        depth = name.count(".") + (spec.submodule_search_locations is not None)
        above = [*file.parents][: depth + 1][-1]
        if self._is_left_alone(file, above):
            return None
        if self._folder not in file.parents and not self._is_old(above) and _parses(file):
            return None
        spec.loader = _Python2(name, spec.origin, self._tell)
        return spec

    def _is_left_alone(self, file: Path, above: Path) -> bool:
        installed = {"site-packages", "dist-packages"} & set(file.parts) or any(above.glob("*.dist-info"))
        return bool(installed) or self._python in file.parents

    def _is_old(self, above: Path) -> bool:
        if above not in self._old:
            self._old[above] = not all(_parses(file) for file in islice(above.rglob("*.py"), _LOOKED_AT))
        return self._old[above]


def install(folder: Path, tell: Callable[[str], None]) -> None:
    """Translate the modules that are imported from now on, as `Python2Finder` says; NumPy's numbers print as such."""
    np.set_printoptions(legacy="1.25")  # [0.5], which scripts also write into files, not [np.float32(0.5)]
    first = next((n for n, finder in enumerate(sys.meta_path) if finder is PathFinder), 0)
    sys.meta_path.insert(first, Python2Finder(folder, tell))


def _parses(file: Path) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return False
    return True


class _Python2(SourceFileLoader):
    def __init__(self, name: str, path: str, tell: Callable[[str], None]) -> None:
        super().__init__(name, path)
        self._tell = tell

    def get_code(self, fullname: str) -> CodeType:
        code, translated = code_of(self.path, in_package="." in fullname or self.is_package(fullname))
        if translated:
            self._tell(f"{self.path}: translated from Python 2: {translated}")
        return code

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__builtins__"] = python2()
        super().exec_module(module)

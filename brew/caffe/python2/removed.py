"""Names that NumPy, SciPy and Python have dropped, given where a script still looks for them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from .gone import GONE, gone
from .images import ScipyMisc

_MISC = "scipy.misc"
_MODULES = ("collections", "numpy", "time")  # what stands for their names is the same in all that is done with it


def install(tell: Callable[[str], None]) -> None:
    """Give the names from now on, where they are asked for in vain; `tell` gets a line for each, once."""
    for module in _MODULES:
        names = {name.rpartition(".")[2]: name for name in GONE if name.rpartition(".")[0] == module}
        _extend(importlib.import_module(module), names, gone, tell)
    sys.meta_path.insert(0, _Misc(tell))


def _extend(
    module: ModuleType, names: Mapping[str, str], give: Callable[[str], Any], tell: Callable[[str], None]
) -> None:
    """Let `give(names[name])` be what `module` has for a name that it lacks."""
    own: Callable[[str], Any] = vars(module).get("__getattr__", _Lacks(module.__name__))

    def find(name: str) -> Any:
        if name not in names:
            return own(name)
        found = give(names[name])
        tell(f"{module.__name__}.{name} is gone: {_title(found)} stands for it")
        setattr(module, name, found)  # the next time it is there
        return found

    vars(module)["__getattr__"] = find


class _Lacks:
    """What a module without a `__getattr__` says."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __call__(self, name: str) -> Any:
        raise AttributeError(f"module {self._module!r} has no attribute {name!r}")


def _title(found: Any) -> str:
    name = getattr(found, "__qualname__", repr(found))
    module = getattr(found, "__module__", "builtins")
    return "Brew's" if module.startswith("brew.") else name if module == "builtins" else f"{module}.{name}"


class _Misc:
    """Finds `scipy.misc`, and loads it with the functions on images that it had."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._real: Any = None  # its own loader, as long as SciPy has the module

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        if name != _MISC:
            return None
        spec = PathFinder.find_spec(name, path) or ModuleSpec(name, None)
        self._real, spec.loader = spec.loader, self  # type: ignore[assignment]
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """An ordinary module."""

    def exec_module(self, module: ModuleType) -> None:
        if self._real is not None:
            self._real.exec_module(module)
        names = {name: name for name in vars(ScipyMisc) if not name.startswith("_")}
        _extend(module, names, lambda name: getattr(ScipyMisc, name), self._tell)

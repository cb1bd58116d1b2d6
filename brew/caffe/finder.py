"""`import caffe` means this room, whatever stands on sys.path: a finder before the others (PEP 451)."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
from collections.abc import Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from brew.errors import UsageError
from brew.proto import caffe_pb2

from .logs import heed_environment

log = logging.getLogger("brew")

_ROOM = __name__.rpartition(".")[0]  # brew.caffe
_WORDS = "caffe_pb2"


def install_as_caffe() -> None:
    """Let `import caffe`, and imports of its modules, give `brew.caffe` in this process from now on.

    Generated `caffe_pb2` modules that protobuf refuses are replaced by Brew's. UsageError where another `caffe` has
    been imported already.
    """
    known = sys.modules.get("caffe")
    if known is not None and known is not importlib.import_module(_ROOM):
        raise UsageError(
            f"another caffe has been imported, from {getattr(known, '__file__', None) or 'no file'}",
            hint="call install_as_caffe before any import of caffe",
        )
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)


class _Finder:
    """Finds `caffe` and what is in it, and looks after `caffe_pb2` anywhere."""

    @classmethod
    def find_spec(cls, name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        if name == "caffe" or name.startswith("caffe."):
            ours = f"brew.{name}"
            there = ours in sys.modules or importlib.util.find_spec(ours) is not None
            return ModuleSpec(name, _Alias(ours)) if there else None
        parent, _, last = name.rpartition(".")
        if parent == _ROOM:
            return None if PathFinder.find_spec(name, path) else _of_the_script(name)
        if last == _WORDS and not parent.startswith("brew."):
            return _generated(name, path)
        return None


def _of_the_script(name: str) -> ModuleSpec | None:
    """A module that a fork's `caffe` has and pycaffe lacks (model_libs): along sys.path, in a folder `caffe`."""
    folders = [str(folder) for entry in sys.path if (folder := Path(entry or ".") / "caffe").is_dir()]
    spec = PathFinder.find_spec(name, folders)
    if spec is None or spec.origin is None:
        return None
    log.info("%s is none of pycaffe's; it is taken from %s", name.removeprefix("brew."), spec.origin)
    return spec


def _generated(name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    spec = PathFinder.find_spec(name, path)
    if spec is None or spec.loader is None:
        return ModuleSpec(name, _Alias(caffe_pb2.__name__)) if name == _WORDS else None
    spec.loader = _Generated(spec.loader)
    return spec


class _Alias(Loader):
    """Gives a module of ours under another name: the very same object."""

    def __init__(self, ours: str) -> None:
        self._ours = ours

    def create_module(self, spec: ModuleSpec) -> None:
        """An ordinary module, which `exec_module` replaces."""

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = importlib.import_module(self._ours)
        heed_environment()  # the script may have set it since this room was imported


class _Generated(Loader):
    """Loads a generated module; where protobuf refuses it (old code, or a second caffe.proto), ours takes its place."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        try:
            self._loader.exec_module(module)
        except Exception as error:  # descriptors refused, modules of protobuf gone, a version that is too new
            reason = str(error).strip().partition("\n")[0].rstrip(".")
            log.warning("%s: protobuf refuses it (%s); Brew's messages are used instead", module.__file__, reason)
            sys.modules[module.__name__] = caffe_pb2

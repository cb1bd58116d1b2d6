"""Brew: a Caffe for today.

The public names. They are imported on first use (PEP 562), so that `import brew` costs nothing.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

# In a checkout the rooms (layers/, solvers/, ...) stand beside this folder; in a wheel, inside it.
if not Path(__file__).with_name("layers").is_dir():
    __path__.append(str(Path(__file__).resolve().parents[1]))

if TYPE_CHECKING:
    from brew.caffe.finder import install_as_caffe as install_as_caffe
    from brew.layer.registry import layer_type_list as layer_type_list
    from brew.layer.registry import register_layer as register_layer
    from brew.memory.blob import Blob as Blob
    from brew.net.mode import set_device as set_device
    from brew.net.mode import set_mode_cpu as set_mode_cpu
    from brew.net.mode import set_mode_gpu as set_mode_gpu
    from brew.net.mode import set_random_seed as set_random_seed
    from brew.net.net import Net as Net
    from brew.predictor.load import load as load
    from brew.predictor.model import Model as Model
    from brew.predictor.results import Prediction as Prediction
    from brew.predictor.results import Predictions as Predictions
    from brew.solver.by_type import AdaDeltaSolver as AdaDeltaSolver
    from brew.solver.by_type import AdaGradSolver as AdaGradSolver
    from brew.solver.by_type import AdamSolver as AdamSolver
    from brew.solver.by_type import NesterovSolver as NesterovSolver
    from brew.solver.by_type import RMSPropSolver as RMSPropSolver
    from brew.solver.by_type import SGDSolver as SGDSolver
    from brew.solver.by_type import get_solver as get_solver
    from brew.solver.solver import Solver as Solver

    from .errors import BrewError as BrewError
    from .layer import Layer as Layer
    from .version import __version__ as __version__

TRAIN, TEST = 0, 1

_HOME = {
    "AdaDeltaSolver": "solver.by_type",
    "AdaGradSolver": "solver.by_type",
    "AdamSolver": "solver.by_type",
    "Blob": "memory.blob",
    "BrewError": "errors",
    "Layer": "layer",
    "Model": "predictor.model",
    "NesterovSolver": "solver.by_type",
    "Net": "net",
    "Prediction": "predictor.results",
    "Predictions": "predictor.results",
    "RMSPropSolver": "solver.by_type",
    "SGDSolver": "solver.by_type",
    "Solver": "solver",
    "__version__": "version",
    "get_solver": "solver.by_type",
    "install_as_caffe": "caffe.finder",
    "layer_type_list": "layer.registry",
    "load": "predictor.load",
    "register_layer": "layer.registry",
    "set_device": "net.mode",
    "set_mode_cpu": "net.mode",
    "set_mode_gpu": "net.mode",
    "set_random_seed": "net.mode",
}
__all__ = ["TEST", "TRAIN", *_HOME]

# Paths that layers outside of Brew may import, from before the rooms: they go with version 0.2.
_MOVED = {
    "brew.blob": "brew.memory.blob",
    "brew.data_layer": "brew.layer.data_layer",
    "brew.filler": "brew.layer.filler",
    "brew.layout": "brew.layer.layout",
    "brew.onednn": "brew.cpu.onednn",
    "brew.random": "brew.layer.random",
    "brew.registry": "brew.layer.registry",
    "brew.threads": "brew.cpu.threads",
    **{
        f"brew.ops.{name}": f"brew.ops.windows.{name}"
        for name in ("average_pool", "columns", "correlation", "im2col", "max_pool", "pool", "window")
    },
}


class _OldPaths:
    """Finds a module at the path that it had (PEP 451), and says where it is now."""

    @classmethod
    def find_spec(cls, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return ModuleSpec(name, cls) if name in _MOVED else None  # type: ignore[arg-type]

    @staticmethod
    def create_module(spec: ModuleSpec) -> None:
        """An ordinary module, which `exec_module` replaces."""

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        old, new = module.__name__, _MOVED[module.__name__]
        warnings.warn(f"{old} is now {new}; the old path goes with Brew 0.2", DeprecationWarning, stacklevel=2)
        sys.modules[old] = importlib.import_module(new)


sys.meta_path.append(_OldPaths)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'brew' has no attribute {name!r}")
    return getattr(importlib.import_module(f"brew.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)

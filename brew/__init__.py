"""Brew: a Caffe for today.

The public face. Names are resolved when they are asked for (PEP 562), so that `import brew` costs nothing.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

# In a checkout the rooms (layers/, solvers/, ...) stand beside this folder; in a wheel, inside it.
if not Path(__file__).with_name("layers").is_dir():
    __path__.append(str(Path(__file__).resolve().parents[1]))

if TYPE_CHECKING:
    from brew.blob import Blob as Blob
    from brew.errors import BrewError as BrewError
    from brew.face import AdaDeltaSolver as AdaDeltaSolver
    from brew.face import AdaGradSolver as AdaGradSolver
    from brew.face import AdamSolver as AdamSolver
    from brew.face import NesterovSolver as NesterovSolver
    from brew.face import RMSPropSolver as RMSPropSolver
    from brew.face import SGDSolver as SGDSolver
    from brew.face import get_solver as get_solver
    from brew.layer import Layer as Layer
    from brew.mode import set_device as set_device
    from brew.mode import set_mode_cpu as set_mode_cpu
    from brew.mode import set_mode_gpu as set_mode_gpu
    from brew.mode import set_random_seed as set_random_seed
    from brew.net import Net as Net
    from brew.registry import layer_type_list as layer_type_list
    from brew.registry import register_layer as register_layer
    from brew.solver import Solver as Solver
    from brew.version import __version__ as __version__

TRAIN, TEST = 0, 1

_HOME = {
    "AdaDeltaSolver": "face",
    "AdaGradSolver": "face",
    "AdamSolver": "face",
    "Blob": "blob",
    "BrewError": "errors",
    "Layer": "layer",
    "NesterovSolver": "face",
    "Net": "net",
    "RMSPropSolver": "face",
    "SGDSolver": "face",
    "Solver": "solver",
    "__version__": "version",
    "get_solver": "face",
    "layer_type_list": "registry",
    "register_layer": "registry",
    "set_device": "mode",
    "set_mode_cpu": "mode",
    "set_mode_gpu": "mode",
    "set_random_seed": "mode",
}
__all__ = ["TEST", "TRAIN", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'brew' has no attribute {name!r}")
    return getattr(importlib.import_module(f"brew.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)

"""pycaffe's whole surface, for scripts that say `import caffe`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from brew.proto.brew_pb2 import TEST as TEST
from brew.proto.brew_pb2 import TRAIN as TRAIN

from . import proto as proto
from .logs import heed_environment

if TYPE_CHECKING:
    from ._caffe import NCCL as NCCL
    from ._caffe import AdaDeltaSolver as AdaDeltaSolver
    from ._caffe import AdaGradSolver as AdaGradSolver
    from ._caffe import AdamSolver as AdamSolver
    from ._caffe import Layer as Layer
    from ._caffe import NesterovSolver as NesterovSolver
    from ._caffe import Net as Net
    from ._caffe import RMSPropSolver as RMSPropSolver
    from ._caffe import SGDSolver as SGDSolver
    from ._caffe import Timer as Timer
    from ._caffe import __version__ as __version__
    from ._caffe import get_solver as get_solver
    from ._caffe import has_nccl as has_nccl
    from ._caffe import init_log as init_log
    from ._caffe import layer_type_list as layer_type_list
    from ._caffe import log as log
    from ._caffe import set_device as set_device
    from ._caffe import set_mode_cpu as set_mode_cpu
    from ._caffe import set_mode_gpu as set_mode_gpu
    from ._caffe import set_multiprocess as set_multiprocess
    from ._caffe import set_random_seed as set_random_seed
    from ._caffe import set_solver_count as set_solver_count
    from ._caffe import set_solver_rank as set_solver_rank
    from ._caffe import solver_count as solver_count
    from ._caffe import solver_rank as solver_rank
    from .classifier import Classifier as Classifier
    from .detector import Detector as Detector
    from .net_spec import NetSpec as NetSpec
    from .net_spec import layers as layers
    from .net_spec import params as params
    from .net_spec import to_proto as to_proto

_FROM_CAFFE = (
    "NCCL", "AdaDeltaSolver", "AdaGradSolver", "AdamSolver", "Layer", "NesterovSolver", "Net", "RMSPropSolver",
    "SGDSolver", "Timer", "__version__", "get_solver", "has_nccl", "init_log", "layer_type_list", "log", "set_device",
    "set_mode_cpu", "set_mode_gpu", "set_multiprocess", "set_random_seed", "set_solver_count", "set_solver_rank",
    "solver_count", "solver_rank",
)  # fmt: skip
# Names that stand in a module of this room, imported on first use.
_HOME = {
    **dict.fromkeys(_FROM_CAFFE, "_caffe"),
    "Classifier": "classifier",
    "Detector": "detector",
    **dict.fromkeys(("NetSpec", "layers", "params", "to_proto"), "net_spec"),
}
_MODULES = ("_caffe", "classifier", "coord_map", "detector", "draw", "io", "net_spec", "proto", "pycaffe")
__all__ = ["TEST", "TRAIN", *(name for name in (*_HOME, *_MODULES) if name[0] != "_")]

heed_environment()


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module 'caffe' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, *_MODULES})

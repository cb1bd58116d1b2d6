"""`caffe._caffe`: the names that pycaffe's compiled part has."""

from __future__ import annotations

from brew.layer.registry import layer_type_list as layer_type_list
from brew.memory.blob import Blob as Blob
from brew.proto.brew_pb2 import LayerParameter as LayerParameter
from brew.proto.brew_pb2 import SolverParameter as SolverParameter
from brew.python_layer import PythonLayer

from .logs import init_log as init_log
from .logs import log as log
from .mode import set_device as set_device
from .mode import set_mode_cpu as set_mode_cpu
from .mode import set_mode_gpu as set_mode_gpu
from .mode import set_multiprocess as set_multiprocess
from .mode import set_random_seed as set_random_seed
from .mode import set_solver_count as set_solver_count
from .mode import set_solver_rank as set_solver_rank
from .mode import solver_count as solver_count
from .mode import solver_rank as solver_rank
from .nccl import NCCL as NCCL
from .nccl import has_nccl as has_nccl
from .net import Net as Net
from .solvers import AdaDeltaSolver as AdaDeltaSolver
from .solvers import AdaGradSolver as AdaGradSolver
from .solvers import AdamSolver as AdamSolver
from .solvers import NesterovSolver as NesterovSolver
from .solvers import RMSPropSolver as RMSPropSolver
from .solvers import SGDSolver as SGDSolver
from .solvers import Solver as Solver
from .solvers import get_solver as get_solver
from .timer import Timer as Timer
from .vectors import BlobVec as BlobVec
from .vectors import BoolVec as BoolVec
from .vectors import DtypeVec as DtypeVec
from .vectors import IntVec as IntVec
from .vectors import LayerVec as LayerVec
from .vectors import NetVec as NetVec
from .vectors import RawBlobVec as RawBlobVec
from .vectors import StringVec as StringVec

Layer = PythonLayer  # the base of layers that users write
__version__ = "1.0.0"  # the Caffe whose surface this is

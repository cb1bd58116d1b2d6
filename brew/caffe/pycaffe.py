"""`caffe.pycaffe`: the names of pycaffe's module of that name."""

from __future__ import annotations

from ._caffe import NCCL as NCCL
from ._caffe import AdaDeltaSolver as AdaDeltaSolver
from ._caffe import AdaGradSolver as AdaGradSolver
from ._caffe import AdamSolver as AdamSolver
from ._caffe import NesterovSolver as NesterovSolver
from ._caffe import Net as Net
from ._caffe import RMSPropSolver as RMSPropSolver
from ._caffe import SGDSolver as SGDSolver
from ._caffe import Timer as Timer

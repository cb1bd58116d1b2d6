"""oneDNN's C library: descriptions, operations, calls."""

from .primitives import (
    ADD as ADD,
)
from .primitives import (
    BACKWARD as BACKWARD,
)
from .primitives import (
    BACKWARD_DATA as BACKWARD_DATA,
)
from .primitives import (
    BIAS as BIAS,
)
from .primitives import (
    CONVOLUTION_DIRECT as CONVOLUTION_DIRECT,
)
from .primitives import (
    DECONVOLUTION_DIRECT as DECONVOLUTION_DIRECT,
)
from .primitives import (
    DIFF_BIAS as DIFF_BIAS,
)
from .primitives import (
    DIFF_DST as DIFF_DST,
)
from .primitives import (
    DIFF_SCALE as DIFF_SCALE,
)
from .primitives import (
    DIFF_SHIFT as DIFF_SHIFT,
)
from .primitives import (
    DIFF_SRC as DIFF_SRC,
)
from .primitives import (
    DIFF_WEIGHTS as DIFF_WEIGHTS,
)
from .primitives import (
    DST as DST,
)
from .primitives import (
    ELU_FROM_TOP as ELU_FROM_TOP,
)
from .primitives import (
    FORWARD_INFERENCE as FORWARD_INFERENCE,
)
from .primitives import (
    FORWARD_TRAINING as FORWARD_TRAINING,
)
from .primitives import (
    FUSE_RELU as FUSE_RELU,
)
from .primitives import (
    LOGISTIC_FROM_TOP as LOGISTIC_FROM_TOP,
)
from .primitives import (
    LRN_ACROSS_CHANNELS as LRN_ACROSS_CHANNELS,
)
from .primitives import (
    LRN_WITHIN_CHANNEL as LRN_WITHIN_CHANNEL,
)
from .primitives import (
    MEAN as MEAN,
)
from .primitives import (
    MULTIPLE_SRC as MULTIPLE_SRC,
)
from .primitives import (
    POOLING_AVERAGE as POOLING_AVERAGE,
)
from .primitives import (
    POOLING_AVERAGE_WITH_PADDING as POOLING_AVERAGE_WITH_PADDING,
)
from .primitives import (
    POOLING_MAX as POOLING_MAX,
)
from .primitives import (
    RELU as RELU,
)
from .primitives import (
    RELU_FROM_TOP as RELU_FROM_TOP,
)
from .primitives import (
    SCALE as SCALE,
)
from .primitives import (
    SCALE_OF as SCALE_OF,
)
from .primitives import (
    SHIFT as SHIFT,
)
from .primitives import (
    SOFTMAX as SOFTMAX,
)
from .primitives import (
    SRC as SRC,
)
from .primitives import (
    SRC_1 as SRC_1,
)
from .primitives import (
    SUBTRACT as SUBTRACT,
)
from .primitives import (
    TANH_FROM_TOP as TANH_FROM_TOP,
)
from .primitives import (
    USE_GLOBAL_STATS as USE_GLOBAL_STATS,
)
from .primitives import (
    USE_SCALE as USE_SCALE,
)
from .primitives import (
    USE_SHIFT as USE_SHIFT,
)
from .primitives import (
    VARIANCE as VARIANCE,
)
from .primitives import (
    WEIGHTS as WEIGHTS,
)
from .primitives import (
    WORKSPACE as WORKSPACE,
)
from .primitives import (
    Call as Call,
)
from .primitives import (
    Description as Description,
)
from .primitives import (
    Operation as Operation,
)
from .primitives import (
    block as block,
)
from .primitives import (
    copy as copy,
)
from .primitives import (
    describe as describe,
)
from .primitives import (
    dims as dims,
)
from .primitives import (
    library as library,
)
from .primitives import (
    version as version,
)
from .primitives import (
    why_not as why_not,
)

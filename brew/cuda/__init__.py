"""The one door to the GPU: devices, arrays, kernels from text, matrix products."""

from .device import (
    PRELUDE as PRELUDE,
)
from .device import (
    Array as Array,
)
from .device import (
    Kernel as Kernel,
)
from .device import (
    Kernels as Kernels,
)
from .device import (
    address as address,
)
from .device import (
    asarray as asarray,
)
from .device import (
    asnumpy as asnumpy,
)
from .device import (
    copied as copied,
)
from .device import (
    copy as copy,
)
from .device import (
    current_device as current_device,
)
from .device import (
    device_count as device_count,
)
from .device import (
    device_properties as device_properties,
)
from .device import (
    download as download,
)
from .device import (
    empty as empty,
)
from .device import (
    gemm as gemm,
)
from .device import (
    install as install,
)
from .device import (
    on_device as on_device,
)
from .device import (
    synchronize as synchronize,
)
from .device import (
    upload as upload,
)
from .device import (
    use_device as use_device,
)
from .device import (
    why_not as why_not,
)
from .device import (
    wrap as wrap,
)
from .device import (
    zero as zero,
)
from .device import (
    zeros as zeros,
)

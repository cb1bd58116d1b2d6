"""The contract of a layer, and what a layer's file may ask for: registry, fillers, random numbers, layouts, choices."""

from .arity import (
    at_least as at_least,
)
from .arity import (
    between as between,
)
from .arity import (
    exactly as exactly,
)
from .contract import (
    TEST as TEST,
)
from .contract import (
    TRAIN as TRAIN,
)
from .contract import (
    Array as Array,
)
from .contract import (
    Arrays as Arrays,
)
from .contract import (
    Buffer as Buffer,
)
from .contract import (
    Context as Context,
)
from .contract import (
    Implementation as Implementation,
)
from .contract import (
    Layer as Layer,
)
from .contract import (
    Param as Param,
)
from .contract import (
    Shapes as Shapes,
)
from .contract import (
    Unsupported as Unsupported,
)
from .contract import (
    Version as Version,
)
from .contract import (
    Wanted as Wanted,
)
from .layout import (
    Shape as Shape,
)
from .layout import (
    View as View,
)
from .layout import (
    count as count,
)
from .layout import (
    shape_text as shape_text,
)

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
from .arrays import (
    Array as Array,
)
from .arrays import (
    Arrays as Arrays,
)
from .arrays import (
    Buffer as Buffer,
)
from .arrays import (
    ChangeCount as ChangeCount,
)
from .arrays import (
    Prepared as Prepared,
)
from .arrays import (
    Shapes as Shapes,
)
from .arrays import (
    Wanted as Wanted,
)
from .contract import (
    TEST as TEST,
)
from .contract import (
    TRAIN as TRAIN,
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
    Unsupported as Unsupported,
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

"""Caffe's text: read with the place of every field, upgraded from old formats, compared, printed."""

from .document import (
    LARGEST_FILE as LARGEST_FILE,
)
from .document import (
    Document as Document,
)
from .document import (
    override as override,
)
from .document import (
    override_all as override_all,
)
from .document import (
    parse as parse,
)
from .document import (
    read as read,
)
from .document import (
    to_text as to_text,
)

"""Caffe's text: read with the place of every field, upgraded from old formats, compared, printed.

A file goes through these modules in this order:

1. `tokens` cuts the text up, and `parser` fills a message by the `schema`, a value at a time (`values`, `paths`).
2. A name that the schema lacks is looked up: in `fork_words`, another name for a field of Caffe's, which is filled; in
   `forks` (the table forks.tsv), an addition of a fork: `skip` passes over its value, and the document records it for
   graph.foreign, which judges it. Any other name is an error, for which `hints` names the field that is meant: a
   neighbour in the schema, a word of an old format, or one of another framework (the tables of `other_words`).
3. The result is a `document`: the message, and the place of each of its fields. `net_or_solver` tries both types.
4. `upgrade` brings a net or solver of an older format into today's words; its docstring lists the rules in their order.
   `upgrade_v0`, `upgrade_v1` and `upgrade_pooling` apply them, `upgrade_origin` keeps the places in the old text.
5. `placed` are the layers that come of it, each with its place; from here the room `graph` goes on.

Besides: `difference` compares two messages, `portable` writes nets that other programs read.
"""

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

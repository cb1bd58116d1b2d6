"""Text that is safe on a terminal: names come from untrusted files, and a terminal obeys control characters.

What is printed or logged is one line (`one_line`), whatever the names in it. Text of several lines says that it is, has
its names in one line each, and goes through `plain`.
"""

from __future__ import annotations

import re
import unicodedata

_UNUSUAL = re.compile(r"[^\n\t -~]")  # all but printable ASCII, and what makes lines and columns


def plain(text: str) -> str:
    """`text` with characters that move a cursor, or hide or reorder letters, written out.

    Lines and tabs stay, as in text that has several lines, and so do letters and spaces of every script.

    >>> plain("a\\x1b[8m\\u202e\\tb\\u00e9")
    'a\\\\x1b[8m\\\\u202e\\tbé'
    """
    return _UNUSUAL.sub(lambda match: match[0] if _is_harmless(match[0]) else _escaped(match[0]), text)


def one_line(text: str) -> str:
    """The same in one line and one column, for names and for all that has names in it."""
    return plain(text).replace("\n", "\\n").replace("\t", "\\t")


def octal(text: str) -> str:
    """The same in a string of a prototxt, which stays the same string: the bytes of such characters as escapes."""
    return _UNUSUAL.sub(lambda match: match[0] if _is_harmless(match[0]) else _octal(match[0]), text)


def _is_harmless(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode()


def _octal(character: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", "surrogatepass"))

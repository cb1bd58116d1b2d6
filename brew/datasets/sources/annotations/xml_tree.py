"""Small XML files as trees with line numbers. A document type, with which entities come, is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from brew.errors import DataError, Place

_DEEPEST = 64
_MOST = 1_000_000  # elements of a file


@dataclass(slots=True)
class Node:
    """An element: its name, the text in it, the line it begins in, and the elements in it."""

    name: str
    line: int
    text: str = ""
    inside: list[Node] = field(default_factory=list)

    def all(self, name: str) -> Iterator[Node]:
        """The elements of this name directly in it."""
        return (node for node in self.inside if node.name == name)

    def first(self, name: str) -> Node | None:
        return next(self.all(name), None)

    def value(self, name: str) -> str:
        """The text of the first element of this name in it, "" if there is none."""
        node = self.first(name)
        return node.text.strip() if node is not None else ""


class _Refused(Exception):
    pass


def read_xml(data: bytes, path: str) -> Node:
    """The outermost element; DataError with a place in `path` for what is no XML, or none that is read here."""
    root = Node("", 0)
    open_ones = [root]
    parser = expat.ParserCreate()
    count = 0

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if len(open_ones) > _DEEPEST or count > _MOST:
            raise _Refused(f"more than {_DEEPEST} elements in one another, or {_MOST} of them")
        node = Node(name, parser.CurrentLineNumber)
        open_ones[-1].inside.append(node)
        open_ones.append(node)

    def end(name: str) -> None:
        open_ones.pop()

    def text(piece: str) -> None:
        open_ones[-1].text += piece

    def doctype(*facts: object) -> None:
        raise _Refused("a document type (<!DOCTYPE>), which is refused: annotations need none")

    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = begin, end, text
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(data, True)
    except _Refused as refused:
        raise DataError(f"this has {refused}", place=Place(path, parser.CurrentLineNumber)) from None
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise DataError(f"this is no XML: {reason}", place=Place(path, error.lineno, error.offset + 1)) from None
    except (ValueError, LookupError) as error:  # an encoding that is unknown
        raise DataError(f"this is no XML: {error}", place=Place(path)) from None
    return root.inside[0]

"""Reading prototxt past its errors, and telling other mistakes from mere consequences of these."""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path
from typing import TypeVar

from google.protobuf.message import Message

from brew import prototxt
from brew.errors import Place, PrototxtError
from brew.proto.brew_pb2 import NetParameter
from brew.prototxt import Document

from .finding import Finding
from .prototxts import no_net

M = TypeVar("M", bound=Message)
Position = tuple[int, int]  # line and column


class Texts:
    """The texts of one check.

    `findings` are the errors in them; `broken` the places of layers that have one. Fields that are unknown or have a
    wrong value are missing from the messages.
    """

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.broken: set[Place] = set()
        self._layers: dict[str, list[Position]] = {}  # of files with errors: where layers begin
        self._errors: dict[str, list[Position]] = {}

    def read(self, path: str | Path, message_type: type[M]) -> Document[M]:
        """The document. InputError or PrototxtError where it cannot be read to its end, or is no net but should be."""
        if message_type is NetParameter and (what := no_net(path)):
            raise PrototxtError(what, place=Place(str(path)))
        problems: list[PrototxtError] = []
        try:
            document = prototxt.read(path, message_type, problems)
        finally:
            self.findings += [Finding.of(problem, str(path)) for problem in problems]
        if problems:
            self._remember(document, [p.place for p in problems if p.place is not None])
        return document

    def _remember(self, document: Document[M], places: list[Place]) -> None:
        found = [
            document.place(field, number)
            for field in ("layer", "layers")
            for number in range(len(getattr(document.message, field, ())))
        ]
        starts = self._layers[document.file] = sorted((place.line, place.column) for place in found)
        self._errors[document.file] = [(place.line, place.column) for place in places]
        hit = {bisect_right(starts, error) - 1 for error in self._errors[document.file]}
        self.broken.update(Place(document.file, *starts[number]) for number in hit if number >= 0)

    def echoes(self, finding: Finding) -> bool:
        """Whether a finding may be a mere consequence of an error in the text.

        In a layer with an error, which is not built, every warning may be one. Outside of layers, findings on the line
        of an error may be, and those about the file as a whole: a missing field may be a misspelt one.
        """
        errors = self._errors.get(finding.place.file)
        if errors is None:
            return False
        starts, here = self._layers[finding.place.file], (finding.place.line, finding.place.column)
        layer = bisect_right(starts, here) - 1
        if layer >= 0:
            return finding.severity == "warning" and any(bisect_right(starts, error) - 1 == layer for error in errors)
        return not here[0] or any(line == here[0] for line, _ in errors)

"""The outcome for each layer when weights are loaded: copied, skipped, left at its filler, or of other shapes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from brew.layer import Shape, count, shape_text
from brew.plain_text import one_line


class Outcome(StrEnum):
    """The outcome for one layer."""

    COPIED = "copied"
    SKIPPED = "not in the net"
    LEFT = "left at its filler"
    MISMATCHED = "does not fit, left as it was"


@dataclass(frozen=True, slots=True)
class LayerReport:
    """One layer of a file, or of the net where no file has it.

    `in_file` and `in_net` are the shapes of its blobs, empty where it is missing; `path` is "" where no file has it.
    `faults` has a sentence for each blob that does not fit.
    """

    name: str
    outcome: Outcome
    path: str = ""
    in_file: tuple[Shape, ...] = ()
    in_net: tuple[Shape, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def elements(self) -> int:
        """Number of elements: of the file where it has the layer, else of the net."""
        shapes = self.in_file if self.outcome in (Outcome.COPIED, Outcome.SKIPPED) else self.in_net
        return sum(map(count, shapes))


@dataclass(frozen=True, slots=True)
class LoadReport:
    """All layers: those of the files `paths` in their order, then those of the net that no file has."""

    paths: tuple[str, ...]
    layers: tuple[LayerReport, ...]

    def of(self, outcome: Outcome) -> tuple[LayerReport, ...]:
        """The layers with this outcome."""
        return tuple(layer for layer in self.layers if layer.outcome is outcome)

    @property
    def copied(self) -> tuple[LayerReport, ...]:
        return self.of(Outcome.COPIED)

    @property
    def skipped(self) -> tuple[LayerReport, ...]:
        return self.of(Outcome.SKIPPED)

    @property
    def left(self) -> tuple[LayerReport, ...]:
        return self.of(Outcome.LEFT)

    @property
    def mismatched(self) -> tuple[LayerReport, ...]:
        return self.of(Outcome.MISMATCHED)

    def text(self) -> str:
        """One line; a table follows unless every layer of the files and of the net was copied."""
        said = [f"{len(self.of(o))} {o}" for o in Outcome if o is Outcome.COPIED or self.of(o)]
        line = f"{', '.join(map(one_line, self.paths))}: layers: {'; '.join(said)}"
        if len(self.copied) == len(self.layers):
            return line
        return "\n".join([line, *self._table()])

    def _table(self) -> list[str]:
        rows = [("layer", "outcome", "in the file", "in the net", "numbers")]
        rows += [
            (
                one_line(layer.name),
                str(layer.outcome),
                _shapes(layer.in_file),
                _shapes(layer.in_net),
                str(layer.elements),
            )
            for layer in self.layers
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = []
        for *texts, numbers in rows:
            cells = [text.ljust(width) for text, width in zip(texts, widths[:-1], strict=True)]
            lines.append("  ".join(["", *cells, numbers.rjust(widths[-1])]))
        return lines


def _shapes(shapes: tuple[Shape, ...]) -> str:
    return ", ".join(map(shape_text, shapes)) or "-"

"""dataset.yaml: what an import made, of what, and how."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from brew.files import regular
from brew.version import __version__

from .settings import ImportSettings
from .sources.items import Item, Problem, Source

FILE = "dataset.yaml"
MARK = "# Written by brew data import"


@dataclass
class Tally:
    """What a part holds: records, those (or the boxes) of each class by number, their shapes, what was changed."""

    records: int = 0
    classes: Counter[int] = field(default_factory=Counter)
    shape: tuple[int, ...] | None = None  # of the first record
    varies: bool = False
    told: Counter[str] = field(default_factory=Counter)

    def count(self, item: Item, shape: tuple[int, ...], told: Sequence[str]) -> None:
        """One more record, that of `item`."""
        self.records += 1
        if item.label is not None:
            self.classes[item.label] += 1
        self.classes.update(box.label for box in item.boxes or ())
        self.shape = self.shape or shape
        self.varies |= shape != self.shape
        self.told.update(told)

    def as_json(self) -> dict[str, Any]:
        """All of it, in lists and mappings."""
        classes = sorted(self.classes.items())
        return {"records": self.records, "classes": classes, "shape": self.shape, "varies": self.varies,
                "told": sorted(self.told.items())}  # fmt: skip

    @classmethod
    def of_json(cls, entry: Mapping[str, Any]) -> Tally:
        """The tally that `as_json` gave."""
        shape = entry["shape"]
        classes, told = Counter(dict(entry["classes"])), Counter(dict(entry["told"]))
        return cls(entry["records"], classes, None if shape is None else tuple(shape), entry["varies"], told)


def describe(
    source: Source,
    settings: ImportSettings,
    parts: Mapping[str, Tally],
    failures: Sequence[Problem],
    files: Sequence[str],
    *,
    together: int,
) -> str:
    """The text of dataset.yaml. `files` are all that the import wrote; `together`, pairs that were not parted."""
    import yaml

    labels = source.labels
    content: dict[str, Any] = {
        "source": str(source.path),
        "kind": source.kind,
        "brew": __version__,
        "format": settings.format,
        "parts": {part: _part(tally, labels) for part, tally in parts.items()},
    }
    if source.target_names:
        content["targets"] = list(source.target_names)
    if settings.size is not None:
        content["resize"] = {"size": list(settings.size), "how": settings.resize}
    if settings.val or settings.test:
        content["division"] = {"val": settings.val, "test": settings.test, "seed": settings.seed,
                               "pairs_kept_together": together}  # fmt: skip
    content["order"] = f"shuffled by seed {settings.seed}" if settings.shuffle else "as in the source"
    told = sum((tally.told for tally in parts.values()), Counter[str]())
    if told:
        content["changed"] = dict(sorted(told.items()))
    if failures:
        content["left_out"] = [problem._asdict() for problem in failures]
    if source.notes:
        content["notes"] = list(source.notes)
    if source.preparation is not None:
        content["preparation"] = dict(source.preparation)
    content["files"] = [*files, FILE]
    return f"{MARK}\n{yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)}"


def _part(tally: Tally, labels: Sequence[str]) -> dict[str, Any]:
    shape = "varies" if tally.varies else " x ".join(map(str, tally.shape or ()))
    part: dict[str, Any] = {"records": tally.records, "shape": shape}
    if tally.classes:
        numbers = sorted({*tally.classes, *range(len(labels))})
        part["classes"] = {labels[n] if n < len(labels) else n: tally.classes[n] for n in numbers}
    return part


def written_names(path: Path) -> list[str]:
    """The names of the files that the import described in `path` wrote; none where it cannot be read."""
    import yaml

    try:
        content = yaml.safe_load(regular.read_text(path, most=1 << 28))
        names = content["files"]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError):
        return []
    return [name for name in names if isinstance(name, str) and Path(name).name == name]

"""Write the nets of the zoo: `python -m brew.model_zoo.generators.write`, from the repository's root.

train_val.prototxt comes from the scripts beside this one, for the families that have one; deploy.prototxt of every net
is what `brew deploy` makes of its train_val.prototxt; readme.md of the zoo gets its table.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import brew.model_zoo
from brew.graph.rewriting.deploy import deploy
from brew.proto.brew_pb2 import NetParameter
from brew.prototxt import to_text

from . import inception, narrow, plain, residual
from .table import table

ZOO = Path(brew.model_zoo.__path__[0])
NETS: dict[str, Callable[[], NetParameter]] = plain.NETS | residual.NETS | narrow.NETS | inception.NETS
# Of data without crop_size, which does not tell the size of its images.
_SHAPES = {"lenet": (1, 1, 28, 28), "cifar10_quick": (1, 3, 32, 32), "cifar10_full": (1, 3, 32, 32)}
_INNERMOST = re.compile(r"^( {2,}\w+) \{\n([^{}]*?) *\}\n", re.MULTILINE)
_WIDTH = 100


def train_val(name: str) -> str:
    """The text of a net's train_val.prototxt."""
    return f"# Made by model_zoo/generators; readme.md tells of the net.\n{_compact(to_text(NETS[name]()))}"


def deployed(folder: Path) -> str:
    """The text of deploy.prototxt for the train_val.prototxt in this folder."""
    file = folder / "train_val.prototxt"
    shapes = {"data": _SHAPES[folder.name]} if folder.name in _SHAPES else {}
    return _compact(deploy(str(file), shapes=shapes).text(file.name))


def _compact(text: str) -> str:
    """Short messages inside layers on one line."""

    def one_line(match: re.Match[str]) -> str:
        line = f"{match[1]} {{ {' '.join(match[2].split())} }}"
        return f"{line}\n" if len(line) <= _WIDTH else match[0]

    return _INNERMOST.sub(one_line, text)


def main() -> None:
    """Write all files anew."""
    for name in NETS:
        (ZOO / name).mkdir(exist_ok=True)
        (ZOO / name / "train_val.prototxt").write_text(train_val(name), "utf-8")
    for file in sorted(ZOO.glob("*/train_val.prototxt")):
        (file.parent / "deploy.prototxt").write_text(deployed(file.parent), "utf-8")
    (ZOO / "readme.md").write_text(table(ZOO), "utf-8")


if __name__ == "__main__":
    main()

"""model.yaml: how things become the inputs of a net, kept beside the data; a trained net is asked by the same rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brew.data import labels
from brew.errors import DataError, Place
from brew.files import regular

from .preparation import Preparation, preparation_of

FILE = "model.yaml"
_MOST = 1 << 26  # bytes


@dataclass(frozen=True, slots=True)
class ModelFile:
    """What a model.yaml says: `labels`, names or a file of them, and the `preparation`; None: nothing."""

    labels: tuple[str, ...] | Path | None
    preparation: Preparation | None


def as_text(preparation: Mapping[str, Any], *, labelled: bool) -> str:
    """The content of the file for a preparation in words, with labels.txt beside it where there are any."""
    import yaml

    shapes = preparation_of(dict(preparation)).shapes
    content: dict[str, Any] = {"labels": labels.FILE} if labelled else {}
    content["inputs"] = [{"blob": name, "shape": list(shape)} for name, shape in shapes.items()]
    content["preparation"] = dict(preparation)
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)
    return f"# Written by brew data import: how the inputs of a net are made, for training and for brew.load\n{text}"


def read(path: Path) -> ModelFile:
    """What a model.yaml says; words of other meaning are left alone. DataError where it cannot be read."""
    import yaml

    place = Place(str(path))
    try:
        text = regular.read_text(path, "utf-8-sig", most=_MOST)
        content = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise DataError(f"it cannot be read: {error}", place=place) from None
    except yaml.YAMLError as error:
        raise DataError(f"it is no YAML: {error}", place=place) from None
    if not isinstance(content, dict):
        raise DataError("it holds no names and values", place=place)
    said = content.get("labels")
    names: tuple[str, ...] | Path | None = None
    if isinstance(said, str):
        names = path.parent / said
    elif isinstance(said, list):
        names = tuple(map(str, said))
    elif said is not None:
        raise DataError("labels: a list of names, or a file is expected", place=place)
    words = content.get("preparation")
    return ModelFile(names, None if words is None else preparation_of(words, place))

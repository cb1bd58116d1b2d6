"""The labels of a source, or the first of them, for the rules of brew.checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class LabelSample:
    """Labels in the order of the source, one after the other; `name(i)` is the record of number i in words.

    `missing` is the first record without a label; `whole`: these are all labels of the source.
    """

    values: npt.NDArray[Any]
    name: Callable[[int], str]
    missing: str | None = None
    whole: bool = True

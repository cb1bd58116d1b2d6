"""The metrics of a test as lines, tables and facts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .table import render

if TYPE_CHECKING:
    import numpy.typing as npt

    from brew.prototxt.placed import PlacedLayer
    from brew.solver.scoring.scoring import HeadScoring, Scoring

_TABLE, _MATRIX, _PAIRS = 40, 12, 10  # classes in a table and in a matrix that nobody asked for; worst pairs
_UNDEFINED = "nan: there is nothing to compute it from"


def metric_lines(scoring: Scoring, layers: Sequence[PlacedLayer], asked: Sequence[str]) -> list[str]:
    """`name = value` of every metric, and the tables that are asked for or small."""
    known = class_names(layers)
    lines = []
    for each in scoring.heads:
        names = _names_for(each, known)
        results = each.scores.results()
        lines += ["", f'metrics of "{each.head.scores}" against "{each.head.labels}", {_counted(each)}']
        lines += [f"{name} = {value:.6g}" for name, value in results.items()]
        lines += [_UNDEFINED] if any(map(math.isnan, results.values())) else []
        titles, rows = class_table(each)
        if rows and ("per_class" in asked or ("all" in asked and len(rows) <= _TABLE)):
            texts = [[name_of(i, names), *map(figure, row)] for i, row in enumerate(rows)]
            lines += ["", *render(titles, texts, right=range(1, len(titles)))]
        if "confusion" in asked or "all" in asked:
            lines += _confusion(each, names, "confusion" in asked)
    return lines


def class_names(layers: Sequence[PlacedLayer]) -> tuple[str, ...]:
    """The names of the classes, where they stand beside the data."""
    from brew.data.labels import names_of_layers

    return names_of_layers(source.param for source in layers)


def _names_for(each: HeadScoring, known: Sequence[str]) -> Sequence[str]:
    """The names of what a head tells apart: the numbers of an item are no classes."""
    from brew.solver.scoring.heads import VALUES

    return () if each.head.task == VALUES else known


def class_table(each: HeadScoring) -> tuple[list[str], list[list[int | float]]]:
    """The titles and the rows, one for each class, label or number of an item, of a table; NaN for what never came.

    Counts are whole numbers.
    """
    from brew.solver.scoring.values import ValueScores

    scores = each.scores
    columns: list[npt.NDArray[Any]]
    if isinstance(scores, ValueScores):
        titles = ["number", "mae", "rmse", "r2"]
        columns = [*scores.per_number()] if scores.classes > 1 and scores.items else []
    else:
        shown = ["precision", "recall", "f1", *(["iou"] if each.places > 1 else [])]
        ranked = {name: values for name, values in scores.ranked().items() if len(values) == scores.classes}
        titles = ["class", "labels", *shown, *ranked]
        columns = [scores.counts.labels, *map(scores.counts.per_class, shown), *ranked.values()]
    return titles, [[value.item() for value in row] for row in zip(*columns, strict=True)]


def name_of(number: int, names: Sequence[str]) -> str:
    """A class by its number and, where it is known, its name."""
    return f"{number} {names[number]}" if number < len(names) else str(number)


def facts(scoring: Scoring | None, outputs: dict[str, float], layers: Sequence[PlacedLayer]) -> dict[str, Any]:
    """The figures for `--json`: NaN, which JSON lacks, is null."""
    from brew.solver.scoring.classes import ClassScores

    known = class_names(layers) if scoring is not None else ()
    heads = []
    for each in scoring.heads if scoring is not None else []:
        names = _names_for(each, known)
        titles, rows = class_table(each)
        head: dict[str, Any] = {
            "scores": each.head.scores, "labels": each.head.labels, "task": each.head.task, "items": each.scores.items,
            "metrics": {name: _or_null(value) for name, value in each.scores.results().items()},
            "classes": [
                {titles[0]: name_of(i, names), **dict(zip(titles[1:], map(_or_null, row), strict=True))}
                for i, row in enumerate(rows)
            ],
        }  # fmt: skip
        if isinstance(each.scores, ClassScores) and each.scores.counts.pairs is not None:
            head["confusion"] = each.scores.counts.pairs.tolist()
        heads.append(head)
    return {"outputs": {name: _or_null(value) for name, value in outputs.items()}, "heads": heads}


def _confusion(each: HeadScoring, names: Sequence[str], asked: bool) -> list[str]:
    """The matrix, or of many classes the pairs that are confused most."""
    from brew.solver.scoring.classes import ClassScores

    counts = each.scores.counts if isinstance(each.scores, ClassScores) else None
    if counts is None or (pairs := counts.pairs) is None:
        return []
    classes = len(counts.hits)
    if classes <= _MATRIX or (asked and classes <= _TABLE):
        titles = ["label \\ predicted", *map(str, range(classes))]
        rows = [[name_of(i, names), *(str(n) if n else "." for n in row)] for i, row in enumerate(pairs)]
        return ["", *render(titles, rows, right=range(1, classes + 1))]
    worst = counts.worst_pairs(_PAIRS)
    rows = [[name_of(label, names), name_of(guess, names), str(count)] for label, guess, count in worst]
    return ["", *render(["label", "predicted", "times"], rows, right=(2,))] if rows else []


def _counted(each: HeadScoring) -> str:
    return f"{each.scores.items:,} {'labels' if each.places > 1 else 'items'}"


def figure(value: int | float) -> str:
    """A figure of a table: a count whole, others with four digits behind the point, a dash where there is none.

    >>> figure(1), figure(1.0), figure(math.nan)
    ('1', '1.0000', '-')
    """
    if isinstance(value, int):
        return str(value)
    return "-" if math.isnan(value) else f"{value:.4f}"


def _or_null(value: float) -> float | None:
    return value if math.isfinite(value) else None

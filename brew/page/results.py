"""The results of a test as sections: matrices, tables, pictures of mistakes and of samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from brew.reports.curves import ticks
from brew.reports.curves.marks import Chart, Dot, Line, Mark, Point, Text
from brew.reports.curves.svg import svg
from brew.solver.scoring.classes import ClassScores
from brew.solver.scoring.confusion import Confusion
from brew.solver.scoring.labels import LabelScores

from . import html
from .evaluation import Example, HeadResults
from .inputs import Input

_MATRIX, _NUMBERS, _ROWS, _PAIRS = 40, 25, 30, 20  # classes of a matrix, with numbers in it; rows; worst pairs
_MAPS = 6  # items of a segmentation that are shown
# Colours of maps: the classes of a segmentation, again from the first after these.
_COLOURS = np.array([
    (33, 37, 41), (0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233),
    (240, 228, 66), (153, 79, 0), (0, 108, 209), (225, 190, 106), (64, 176, 166), (120, 94, 240), (220, 38, 127),
], np.uint8)  # fmt: skip


def head_sections(results: HeadResults, given: Input | None, names: Sequence[str], title: str) -> list[str]:
    """The sections of one head; `title` tells it from others."""
    scores = results.scoring.scores
    shown = [html.tiles((name, html.number(value)) for name, value in scores.results().items())]
    if isinstance(scores, ClassScores):
        shown += [_confusion(scores.counts, names), _classes(results, names)]
    elif isinstance(scores, LabelScores):
        shown.append(_classes(results, names))
    else:
        shown += [_scatter(results.points), _numbers(results)]
    counted = f"{scores.items:,} {'labels' if results.scoring.places > 1 else 'items'}"
    said = f"{counted}; scores: {results.head.scores}, labels: {results.head.labels}"
    if isinstance(scores, ClassScores) and (missing := int((scores.counts.labels == 0).sum())):
        said += f"; classes that never came as a label: {missing}"
    head = html.note(said)
    sections = [html.section(f"Results{title}", head, *shown)]
    word = "Largest errors" if results.head.task == "values" else "Most confident mistakes"
    word = "Worst items" if results.scoring.places > 1 else word
    sections.append(html.section(f"{word}{title}", _examples(results, results.mistakes, given, names)))
    sections.append(
        html.section(f"Samples, as the net gets them{title}", _examples(results, results.samples, given, names))
    )
    return sections


def name_of(number: int, names: Sequence[str]) -> str:
    """A class by its name, else by its number."""
    return names[number] if 0 <= number < len(names) else str(number)


def _confusion(counts: Confusion, names: Sequence[str]) -> str:
    """The matrix of up to _MATRIX classes, else the worst pairs."""
    if counts.pairs is None:
        return html.note("pairs of classes were not counted: there are too many")
    classes = len(counts.hits)
    if classes > _MATRIX:
        pairs = counts.worst_pairs(_PAIRS)
        rows = [
            [name_of(a, names), name_of(b, names), str(n), f"{n / max(int(counts.labels[a]), 1):.0%}"]
            for a, b, n in pairs
        ]
        shown = html.table(["label", "predicted", "times", "of the label's"], rows, texts=(1,)) if rows else ""
        return f"<h3>Pairs that are confused most</h3>{shown or html.note('none')}"
    head = "".join(f"<th>{html.text(_short(name_of(i, names)))}</th>" for i in range(classes))
    body = "".join(
        f'<tr><td class="name">{html.text(name_of(i, names))}</td>{_cells(row, classes)}</tr>\n'
        for i, row in enumerate(counts.pairs)
    )
    matrix = f'<div class="wide"><table class="matrix"><tr><th>label \\ predicted</th>{head}</tr>\n{body}</table></div>'
    return f"<h3>Confusion matrix</h3>{matrix}"


def _cells(row: npt.NDArray[np.int64], classes: int) -> str:
    """The cells of a label's row, shaded by the share of its items."""
    total = max(int(row.sum()), 1)
    made = []
    for count in row.tolist():
        share = count / total
        ink = ";color:#fff" if share > 0.55 else ""
        shade = f' style="background:rgba(var(--hue),{0.06 + 0.94 * share**0.6:.2f}){ink}"' if count else ""
        said = str(count) if count and classes <= _NUMBERS else ""
        made.append(f'<td{shade} title="{count} ({share:.1%})">{said}</td>')
    return "".join(made)


def _short(name: str) -> str:
    return name if len(name) <= 9 else f"{name[:8]}…"


def _classes(results: HeadResults, names: Sequence[str]) -> str:
    """A row for each class, with bars of its F1; of many classes the worst, and all of them folded."""
    scores = results.scoring.scores
    assert isinstance(scores, ClassScores | LabelScores)
    ranked = {name: values for name, values in scores.ranked().items() if len(values) == scores.classes}
    shown = ["precision", "recall", "f1", *(["iou"] if results.scoring.places > 1 else [])]
    columns = [*map(scores.counts.per_class, shown), *ranked.values()]
    f1 = scores.counts.per_class("f1")
    rows = [
        [
            f"{number} {names[number]}" if number < len(names) else str(number), str(scores.counts.labels[number]),
            *(html.number(column[number]) for column in columns), html.bar(np.nan_to_num(f1[number]), 120),
        ]
        for number in range(scores.classes)
    ]  # fmt: skip
    titles = ["class" if isinstance(scores, ClassScores) else "label", "labels", *shown, *ranked, ""]
    if len(rows) <= _ROWS:
        return "<h3>Per class</h3>" + html.table(titles, rows, texts=(len(titles) - 1,))
    there = np.flatnonzero(scores.counts.there)
    worst = [rows[i] for i in there[np.argsort(f1[there], kind="stable")][:_PAIRS]]
    every = html.folded(f"all {len(rows)} classes", html.table(titles, rows, texts=(len(titles) - 1,)))
    return f"<h3>Classes found worst</h3>{html.table(titles, worst, texts=(len(titles) - 1,))}{every}"


def _numbers(results: HeadResults) -> str:
    scores = results.scoring.scores
    if isinstance(scores, ClassScores | LabelScores) or not 1 < scores.classes <= _ROWS or not scores.items:
        return ""
    figures = scores.per_number()
    rows = [[str(i), *(html.number(float(column[i])) for column in figures)] for i in range(scores.classes)]
    return "<h3>Per number</h3>" + html.table(["number", "mae", "rmse", "r2"], rows)


def _scatter(points: Sequence[tuple[float, float]]) -> str:
    """What is predicted over what is true."""
    finite = [point for point in points if np.isfinite(point).all()]
    if len(finite) < 2:
        return ""
    low, high = min(map(min, finite)), max(map(max, finite))
    axis, size, left, top = ticks.linear(low - (high - low) * 0.03, high + (high - low) * 0.03), 340.0, 60.0, 16.0
    right, bottom = left + size, top + size

    def at(true: float, guess: float) -> Point:
        return left + size * axis.share(true), bottom - size * axis.share(guess)

    marks: list[Mark] = []
    for value, said in zip(axis.ticks, axis.texts, strict=True):
        x, y = at(value, value)
        marks += [Line([(x, top), (x, bottom)], "grid"), Line([(left, y), (right, y)], "grid")]
        marks += [Text((x, bottom + 16), said, anchor="middle"), Text((left - 6, y + 4), said, anchor="end")]
    marks.append(Line([(left, bottom), (right, top)], "faint", 1.0, dash=(4, 4)))
    marks += [Dot(at(true, guess), 2.2, 0) for true, guess in finite]
    marks += [Text(((left + right) / 2, bottom + 34), "true", anchor="middle"), Text((left, 10), "predicted")]
    drawn = Chart(right + 20, bottom + 42, "predicted over true", marks)
    return f"<h3>Predicted over true</h3>{svg(drawn, inside=True)}"


def _examples(results: HeadResults, examples: Sequence[Example], given: Input | None, names: Sequence[str]) -> str:
    """Pictures with what they are and what the net says."""
    if results.scoring.places > 1:
        classes = range(min(results.scoring.scores.classes, len(_COLOURS)))
        colours = html.key((name_of(number, names), _COLOURS[number].tolist()) for number in classes)
        return colours + _maps(examples[:_MAPS], given)
    entries = []
    for example in examples:
        image = look(example, given)
        captions, right = _captions(results, example, names)
        entries.append((image, captions, "right" if right else "wrong"))
    return html.figures(entries)


def _captions(results: HeadResults, example: Example, names: Sequence[str]) -> tuple[list[str], bool]:
    """The lines below an item, and whether the net is right."""
    scores = results.scoring.scores
    if isinstance(scores, ClassScores):
        label, guess = int(example.label), int(example.guess)
        if label == guess:
            return [name_of(label, names)], True
        sure = f" ({example.weight:.0%})" if example.weight else ""
        return [f"says {name_of(guess, names)}{sure}", f"is {name_of(label, names)}"], label < 0
    if isinstance(scores, LabelScores):
        truth, guess = example.label >= 0.5, example.guess
        missed = [name_of(int(i), names) for i in np.flatnonzero(truth & ~guess)]
        wrong = [name_of(int(i), names) for i in np.flatnonzero(guess & ~truth)]
        found = [name_of(int(i), names) for i in np.flatnonzero(guess & truth)]
        said = [", ".join(found[:6])] if found else []
        said += [f"misses {', '.join(missed[:4])}"] if missed else []
        said += [f"wrongly {', '.join(wrong[:4])}"] if wrong else []
        return said or ["none"], not missed and not wrong
    true, said_values = (", ".join(f"{value:.4g}" for value in side[:3]) for side in (example.label, example.guess))
    return [f"says {said_values}", f"is {true}"], True


def _maps(examples: Sequence[Example], given: Input | None) -> str:
    """Of a segmentation: the picture, its labels, the prediction."""
    entries = []
    for example in examples:
        sides = _sides(example)
        if sides is None:
            return html.note("the places of an item are no picture")
        label, guess = (coloured(np.asarray(map_).reshape(sides)) for map_ in (example.label, example.guess))
        wrong = f"{example.weight:.1%} wrong"
        entries += [(look(example, given), [f"item {example.number}"], "")]
        entries += [(html.picture(label), ["labels"], ""), (html.picture(guess), [wrong], "")]
    return html.figures(entries, "maps")


def _sides(example: Example) -> tuple[int, int] | None:
    """Height and width of a map: of the picture's shape, or square."""
    places = int(np.asarray(example.label).size)
    if example.given is not None and example.given.ndim == 3 and example.given[0].size == places:
        return int(example.given.shape[1]), int(example.given.shape[2])
    side = round(places**0.5)
    return (side, side) if side * side == places else None


def coloured(classes: npt.NDArray[np.intp]) -> npt.NDArray[np.uint8]:
    """A map of classes as RGB; ignored places (-1) are gray."""
    step = -(-max(classes.shape) // 240)
    classes = classes[::step, ::step]
    pixels: npt.NDArray[np.uint8] = _COLOURS[np.maximum(classes, 0) % len(_COLOURS)]
    pixels[classes < 0] = 173
    return pixels


def look(example: Example, given: Input | None) -> str:
    """What the net was given, as a picture, or as a curve where it is a row of numbers."""
    if example.given is None:
        return ""
    pixels = given.pixels(example.given) if given is not None else None
    if pixels is not None:
        return html.picture(pixels)
    values = np.asarray(example.given, np.float64).ravel()[:512]
    return _curve(values) if len(values) > 1 and np.isfinite(values).all() else ""


def _curve(values: npt.NDArray[np.float64]) -> str:
    low, span = float(values.min()), float(values.max() - values.min()) or 1.0
    places = np.linspace(6, 110, len(values))
    points = [(float(x), 104 - 92 * (float(v) - low) / span) for x, v in zip(places, values, strict=True)]
    return svg(Chart(116, 116, "", [Line(points, 0, 1.3)]), inside=True)

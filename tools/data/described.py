"""What `brew data check` prints: of a source its shapes, channels and classes, of several what is there twice."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from brew.plain_text import one_line

if TYPE_CHECKING:
    from brew.checks.records.check import Report
    from brew.checks.records.repeats import Repeats, Twin

_SHAPES = 5  # shown of one source
_CLASSES = 30  # shown all; of more, the most and the fewest
_ENDS = 10
_BAR = 30  # letters
_MISSING = 10  # classes named that have no record
_BACKGROUND = "background", "none_of_the_above"  # of boxes: no box is of it


def describe(report: Report) -> str:
    """A line on the source, then shapes, channels and classes of the records, and a line for each bad one."""
    noun = "datasets" if report.kind == "HDF5" else "images" if report.kind == "images" else "records"
    kind = f"{report.kind}, " if report.kind not in ("", "images") else ""
    lines = [f"{report.source}: {kind}{report.checked} {noun} read, {report.bad} bad"]
    if report.problem is not None:
        lines = [f"{report.source}: {report.problem}", *([lines[0]] if report.kind else [])]
    shown = report.shapes.most_common(_SHAPES)
    shapes = [shape if report.kind == "HDF5" else f"{shape} ({number})" for shape, number in shown]
    if shapes:
        rest = len(report.shapes) - len(shapes)
        lines.append(f"  shapes: {', '.join(shapes)}" + (f" and {rest} more" if rest else ""))
    lines += _channels(report)
    if report.labels is not None:
        low, high = report.labels
        lines.append(f"  labels: {low} to {high}")
    lines += _classes(report)
    lines += [f"  {bad.record}: {bad.reason}" for bad in report.bad_records]
    unlisted = report.bad - len(report.bad_records)
    if unlisted:
        lines.append(f"  and {unlisted} more")
    return "\n".join(map(one_line, lines))


def _channels(report: Report) -> Iterator[str]:
    """Mean and standard deviation of each channel; those of a picture in colours are blue, green, red."""
    several = len(report.facts.channels) > 1
    for number, channels in sorted(report.facts.channels.items()):
        if number > 4:
            continue
        of = f" of {channels.records} records with {number} channel{'s' * (number > 1)}" if several else ""
        mean, deviation = (", ".join(f"{value:.4g}" for value in values)
                           for values in (channels.mean, channels.deviation))  # fmt: skip
        colours = " (blue, green, red)" if number == 3 else ""
        yield f"  channels{of}: mean {mean}; standard deviation {deviation}{colours}"


def _classes(report: Report) -> Iterator[str]:
    """How many records there are of each class, with a bar; classes that have none."""
    counts = report.facts.classes
    if not counts:
        return
    names = _names(report.source)
    yield f"  classes: {len(counts)}"
    wide = max(len(_class(names, label)) for label in counts)
    digits = len(str(max(counts.values())))
    full = "█" if _encodes("█") else "#"
    order = sorted(counts)
    left_out = len(order) - 2 * _ENDS if len(order) > _CLASSES else 0
    if left_out:
        by_count = [label for label, _ in counts.most_common()]
        order = [*by_count[:_ENDS], *by_count[-_ENDS:]]
    for place, label in enumerate(order):
        if left_out and place == _ENDS:
            yield f"    and {left_out} between these"
        length = max(1, round(_BAR * counts[label] / max(counts.values())))
        yield f"    {_class(names, label):<{wide}}  {counts[label]:>{digits}}  {full * length}"
    missing = [name for label, name in enumerate(names) if label not in counts and name not in _BACKGROUND]
    if missing:
        more = f" and {len(missing) - _MISSING} more" if len(missing) > _MISSING else ""
        yield f"  no record is of the class {', '.join(missing[:_MISSING])}{more}"


def _encodes(text: str) -> bool:
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    return text.encode(encoding, "replace").decode(encoding) == text


def _class(names: Sequence[str], label: int) -> str:
    return f"{label} {names[label]}" if 0 <= label < len(names) else str(label)


def _names(source: str) -> Sequence[str]:
    from brew.data.labels import label_names
    from brew.errors import DataError

    try:
        return label_names(Path(source))
    except DataError:
        return ()


def told_twice(reports: Sequence[Report], listed: int) -> Iterator[str]:
    """Lines on records that are there twice, or nearly; none where there are none."""
    from brew.checks.records.repeats import repeats

    reports = list({report.source: report for report in reports}.values())
    exact, near = repeats(reports, listed)
    sources = [report.source for report in reports]
    names = [_names(source) for source in sources]
    if exact.count:
        what = "1 record repeats another" if exact.count == 1 else f"{exact.count} records repeat others"
        yield from _pairs(what, "=", exact, sources, names)
    if near.count:
        several = f"{near.count} pictures are nearly the same as others"
        what = "1 picture is nearly the same as another" if near.count == 1 else several
        yield from _pairs(what, "~", near, sources, names)
    left_out = sum(report.facts.compared.left_out for report in reports)
    if left_out:
        yield f"{left_out} records were not compared: the first two million of each source are"


def _pairs(
    what: str, sign: str, found: Repeats, sources: Sequence[str], names: Sequence[Sequence[str]]
) -> Iterator[str]:  # fmt: skip
    facts = [f"{found.across} of another source"] if found.across else []
    facts += [f"{found.unlike} with another label"] if found.unlike else []
    yield one_line(f"{what}{': ' if facts else ''}{', '.join(facts)}")

    def called(twin: Twin) -> str:
        label = f" ({_class(names[twin.source], twin.label)})" if twin.label is not None else ""
        return f"{sources[twin.source]}: {twin.name}{label}" if len(sources) > 1 else f"{twin.name}{label}"

    for first, other in found.pairs:
        yield one_line(f"  {called(other)} {sign} {called(first)}")
    if found.count > len(found.pairs):
        yield f"  and {found.count - len(found.pairs)} more"

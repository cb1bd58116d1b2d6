"""`brew data show`: records as a table, or as a contact sheet: PNG, SVG or one HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from brew.errors import UsageError
from brew.tools.parts.command import Choice, Command, Settings
from brew.tools.parts.live import bar
from brew.tools.parts.output import echo
from brew.tools.parts.table import render, size

if TYPE_CHECKING:
    from brew.datasets.stored.entry import Entry
    from brew.datasets.stored.opening import Stored
    from brew.graph.definition import SelectedNet
    from brew.prototxt.placed import PlacedLayer
    from brew.reports.sheets.cards import Sheet

_ENDINGS = (".png", ".svg", ".html")
_ROWS, _CARDS, _CARDS_OF_DRAWS = 20, 48, 12  # shown unless --count says otherwise


@click.command(name="show", cls=Command)
@click.argument("source", type=click.Path(path_type=Path), metavar="DB|NET")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help=".png, .svg or .html.")
@click.option("--count", type=click.IntRange(1, 9999), metavar="N", help="How many (20; 48 on a sheet, 12 with a net).")
@click.option("--label", "labels", multiple=True, metavar="CLASS", help="Of this class, a name or number (repeatable).")
@click.option("--seed", type=click.IntRange(0), metavar="N", help="Records by chance.")
@click.option("--first", is_flag=True, help="The first records on a sheet, too, not such as are spread evenly.")
@click.option(
    "--net", "net_file", type=click.Path(path_type=Path), metavar="FILE", help="Beside it as this net gets it."
)
@click.option("--layer", metavar="NAME", help="The data layer of the net (the first one).")
@click.option("--phase", type=Choice(("TRAIN", "TEST")), default="TRAIN", help="The net's phase (TRAIN).")
@click.option("--draws", type=click.IntRange(1, 50), metavar="N", help="How often (4 where a layer draws by chance).")
@click.option("--masks", type=click.Path(path_type=Path), metavar="DB", help="Masks (X_masks_lmdb beside X_lmdb).")
@click.option("--side", type=click.IntRange(16, 2048), metavar="N", help="Of a picture on the sheet, in pixels.")
@click.option("--columns", type=click.IntRange(1, 200), metavar="N", help="Of the sheet (as many as fill a page).")
@click.option("--overwrite", is_flag=True, help="Replace a FILE that Brew did not write.")
@click.pass_obj
def verb(
    settings: Settings,
    source: Path,
    out: Path | None,
    count: int | None,
    labels: tuple[str, ...],
    seed: int | None,
    first: bool,
    net_file: Path | None,
    layer: str | None,
    phase: str,
    draws: int | None,
    masks: Path | None,
    side: int | None,
    columns: int | None,
    overwrite: bool,
) -> None:
    """Show records: a table, or with --out a contact sheet.

    DB is the folder of an LMDB or LevelDB, an HDF5 file, a list of such files, or a list of images. NET is a net or a
    solver: then the source of its data layer is shown, and every record as the layer gives it to the net, too.
    """
    from brew.datasets.stored.choosing import chosen, classes_of
    from brew.datasets.stored.opening import open_stored

    if out is not None and out.suffix.lower() not in _ENDINGS:
        raise UsageError(f"--out {out}: a sheet is written as {', '.join(_ENDINGS)}")
    source, net, placed = _net(source, net_file, layer, phase)
    wanted = count or (_ROWS if out is None else _CARDS if placed is None else _CARDS_OF_DRAWS)
    with open_stored(source) as stored, bar(settings) as progress:
        entries = chosen(
            stored, wanted, classes=classes_of(stored, labels), seed=seed, spread=bool(out) and not first,
            progress=progress,
        )  # fmt: skip
        if out is None:
            for line in _table(stored, entries):
                echo(line)
            return
        sheet = _sheet(stored, entries, net, placed, masks, draws=draws, seed=seed or 0)
    _write(sheet, out, side=side, columns=columns, overwrite=overwrite)
    echo(out)


def _net(
    source: Path, net_file: Path | None, name: str | None, phase: str
) -> tuple[Path, SelectedNet | None, PlacedLayer | None]:  # fmt: skip
    """The source to read, and the layer to draw with, if any."""
    from brew.files.paths import find
    from brew.prototxt.net_or_solver import holds_net, holds_solver

    is_net = source.suffix in (".prototxt", ".pbtxt") or (
        net_file is None and source.is_file() and source.stat().st_size and (holds_net(source) or holds_solver(source))
    )
    if net_file is None and not is_net:
        if name is not None:
            raise UsageError("--layer names a layer of a net, and there is no --net")
        return source, None, None
    from brew.graph.definition import select
    from brew.layer import TEST, TRAIN
    from brew.reports.sheets.drawn import data_layer, source_of
    from brew.solver.net_file import read_net

    number = TRAIN if phase == "TRAIN" else TEST
    file = read_net(net_file or source, number)
    net = select(file.definition, number, states=file.states)
    placed = data_layer(net, name)
    if net_file is None:
        source = find(source_of(placed), net.folder, what=f'layer "{placed.param.name}": source', place=placed.place())
    return source, net, placed


def _table(stored: Stored, entries: Sequence[Entry]) -> list[str]:
    """The heading and a line for each record."""
    from brew.layer import shape_text
    from brew.reports.sheets.records import kind_of, looks_at, numbers

    rows = []
    for seen in looks_at(entries, _others(stored)):
        label = "" if seen.label is None else str(seen.label)
        if seen.label is not None and 0 <= seen.label < len(stored.names):
            label = f"{label} {stored.names[seen.label]}"
        others = [f"{len(seen.boxes)} box{'es' * (len(seen.boxes) != 1)}"] if seen.boxes else []
        others += [f"{name} {numbers(values, 3)}" for name, values in seen.more.items() if name != "masks"]
        if seen.values.size == max(seen.values.shape, default=0) and not seen.stored:
            others.append(numbers(seen.values, 5))
        rows.append([seen.key, label, shape_text(seen.values.shape), kind_of(seen), size(seen.size), "; ".join(others)])
    titles = ["record", "label", "shape", "stored", "size", "more" if any(row[-1] for row in rows) else ""]
    return [_heading(stored, len(entries)), "", *render(titles, rows, right=(4,))]


def _others(stored: Stored) -> dict[str, Path]:
    """The databases beside it that hold other values of its records, but for masks."""
    from brew.datasets.stored.opening import paired

    return {name: path for name, path in paired(stored.path).items() if name != "masks"}


def _heading(stored: Stored, shown: int) -> str:
    classes = f", {len(stored.names)} classes" if stored.names else ""
    return f"{stored.path}: {stored.kind}, {stored.length} records{classes}; {shown} of them:"


def _sheet(
    stored: Stored, entries: Sequence[Entry], net: SelectedNet | None, placed: PlacedLayer | None,
    masks: Path | None, *, draws: int | None, seed: int,
) -> Sheet:  # fmt: skip
    from brew.datasets.stored.opening import paired
    from brew.reports.sheets.drawn import drawn
    from brew.reports.sheets.records import masks_of, sheet_of

    seen = None
    if net is not None and placed is not None:
        seen = drawn(placed, net, entries, draws=draws, seed=seed)
    notes = [_heading(stored, len(entries)).removesuffix(" of them:") + " shown"]
    found = masks_of(entries, masks or paired(stored.path).get("masks"))
    title = stored.path.resolve().name
    return sheet_of(entries, title, names=stored.names, notes=notes, masks=found, drawn=seen,
                    others=_others(stored))  # fmt: skip


def _write(sheet: Sheet, out: Path, *, side: int | None, columns: int | None, overwrite: bool) -> None:
    from brew.files.atomic import replacing
    from brew.reports.sheets.writing import SHEET_KINDS, content

    with replacing(out, SHEET_KINDS[out.suffix.lower()], overwrite=overwrite) as temporary:
        temporary.write_bytes(content(sheet, out.suffix.lower(), side=side, columns=columns))

"""`brew data import`: from a pile of files to databases."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from brew.tools.parts.command import Choice, Command, Settings
from brew.tools.parts.live import bar
from brew.tools.parts.output import echo

if TYPE_CHECKING:
    from brew.datasets.importing import Imported
    from brew.datasets.sources.items import Source

_SIZE = re.compile(r"(\d{1,5})(?:x(\d{1,5}))?")


class _Size(click.ParamType[tuple[int, int]]):
    name = "HxW"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        match = _SIZE.fullmatch(str(value).lower())
        size = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if min(size) == 0:
            self.fail(f'"{value}" is no size; HEIGHTxWIDTH is expected, as 240x320, or one number for both', param, ctx)
        return size


def _list_kinds(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Print every kind of source with the options that --set takes, and exit."""
    if not wanted or ctx.resilient_parsing:
        return
    from brew.datasets.sources.kinds import KINDS, options_of

    for name, (_where, what) in KINDS.items():
        echo(f"{name:12}{what}")
        for option, meaning in options_of(name).items():
            echo(f"  {option:10}  {meaning}")
    ctx.exit()


@click.command(name="import", cls=Command)
@click.argument("source", type=click.Path(path_type=Path), metavar="SOURCE")
@click.argument("out", type=click.Path(path_type=Path), metavar="OUT")
@click.option("--kind", metavar="KIND", help="What SOURCE is, where its contents do not tell.")
@click.option("--set", "options", multiple=True, metavar="NAME=VALUE", help="An option of the kind (repeatable).")
@click.option(
    "--labels",
    "names",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Number the classes as this labels.txt does, or the import or database beside it.",
)
@click.option(
    "--kinds", is_flag=True, is_eager=True, expose_value=False, callback=_list_kinds,
    help="List the kinds with their options, and exit.",
)  # fmt: skip
@click.option("--format", "format_", type=Choice(["lmdb", "hdf5"]), default="lmdb", help="What is written (lmdb).")
@click.option("--size", type=_Size(), metavar="HxW", help="Bring pictures to this size (as they are).")
@click.option(
    "--resize", type=Choice(["warp", "fit", "pad", "shorter", "crop"]), default="warp", help="How (warp): see above."
)
@click.option("--encoded/--raw", default=None, help="Store encoded pictures, or pixels (encoded unless resized).")
@click.option("--upright", is_flag=True, help="Turn pictures as their EXIF orientation says.")
@click.option("--gray/--color", default=None, help="One channel, or three (gray where all pictures are).")
@click.option(
    "--val",
    type=click.FloatRange(0, 1, max_open=True),
    default=0,
    metavar="SHARE",
    help="The share of the items for val (0).",
)
@click.option(
    "--test",
    type=click.FloatRange(0, 1, max_open=True),
    default=0,
    metavar="SHARE",
    help="The share of the items for test (0).",
)
@click.option("--compare/--no-compare", default=True, help="Keep pictures that are nearly the same in one part (yes).")
@click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), default=1701, metavar="N", help="Seed of division and order (1701)."
)
@click.option("--shuffle/--no-shuffle", default=True, help="Order of the part train: by the seed, or the source's.")
@click.option("--max-bad", type=click.IntRange(0), default=0, metavar="N", help="Items that may be left out (0).")
@click.option("--overwrite", is_flag=True, help="Replace an earlier import (no other files).")
@click.option("--workers", type=click.IntRange(1, 512), metavar="N", help="Threads that read (one for each core).")
@click.pass_obj
def verb(
    settings: Settings,
    /,
    source: Path,
    out: Path,
    kind: str | None,
    options: tuple[str, ...],
    names: Path | None,
    **given: Any,
) -> None:
    """Make databases of a pile of files.

    SOURCE is told by its contents: docs/data.md lists what can be. OUT becomes a folder with train_lmdb, val_lmdb and
    test_lmdb, whichever there are, labels.txt and dataset.yaml. An import that was killed goes on when it is called
    again. --resize: warp to exactly the size; fit inside it; pad, which is fit with black around; shorter, no side
    shorter than it; crop, which is shorter with the middle cut out.
    """
    from brew.datasets.importing import import_data
    from brew.datasets.renumbering import Renumbered
    from brew.datasets.settings import ImportSettings
    from brew.datasets.sources.kinds import open_source

    wanted = ImportSettings(format=given.pop("format_"), **given)
    if (problem := wanted.problem()) is not None:
        raise click.UsageError(problem)
    own = dict(_named(option) for option in options)
    pile: Source = open_source(source, kind, own)
    try:
        pile = pile if names is None else Renumbered(pile, _read_names(names))
        with bar(settings) as progress:
            imported = import_data(pile, out, wanted, progress, own)
    finally:
        pile.close()
    echo(_report(imported, pile.notes), lines=True)


def _read_names(path: Path) -> tuple[str, ...]:
    """The names in a file, or of a folder; DataError where there are none."""
    from brew.data.labels import label_names, read_labels
    from brew.errors import DataError

    names = label_names(path) if path.is_dir() else read_labels(path)
    if not names:
        raise DataError(f"{path} holds no labels.txt")
    return names


def _named(option: str) -> tuple[str, str]:
    name, equals, value = option.partition("=")
    if not equals or not name:
        raise click.UsageError(f'--set {option}: "NAME=VALUE" is expected')
    return name, value


def _report(imported: Imported, notes: Any) -> str:
    """A line for each part, then what should be known."""
    from brew.plain_text import one_line

    lines = []
    for part, tally in imported.parts.items():
        shape = "of several shapes" if tally.varies else f"of {' x '.join(map(str, tally.shape or ()))}"
        classes = f", {len(tally.classes)} classes" if tally.classes else ""
        lines.append(f"{imported.out}: {part}: {tally.records} records {shape}{classes}")
        lines += [f"  {what}: {count} pictures" for what, count in sorted(tally.told.items())]
    if imported.left_out:
        lines.append(f"  left out: {len(imported.left_out)} items (dataset.yaml lists them)")
    lines += [f"  {note}" for note in notes]
    return "\n".join(map(one_line, lines))

"""`brew convert_imageset`: a list of images as a database, as Caffe's program makes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from brew.errors import UsageError
from brew.tools.parts.command import Choice, Command, Settings
from brew.tools.parts.live import bar
from brew.tools.parts.output import echo


@click.command(name="convert_imageset", cls=Command)
@click.argument("root", metavar="ROOT")
@click.argument("file", metavar="LIST", type=click.Path(path_type=Path))
@click.argument("out", metavar="DB", type=click.Path(path_type=Path))
@click.option("--gray", is_flag=True, help="One channel instead of three.")
@click.option("--shuffle", is_flag=True, help="Store the images in a random order.")
@click.option("--backend", type=Choice(("lmdb", "leveldb")), default="lmdb", help="What is written (lmdb).")
@click.option("--resize-width", type=click.IntRange(0), default=0, metavar="N", help="Width to resize to (0: not).")
@click.option("--resize-height", type=click.IntRange(0), default=0, metavar="N", help="Height to resize to (0: not).")
@click.option("--check-size", is_flag=True, help="Images of different sizes are an error.")
@click.option("--encoded", is_flag=True, help="Store files, as they are unless they are resized, not pixels.")
@click.option("--encode-type", default="", metavar="ENDING", help="Store files of this kind: jpg, png, ...")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=1701, metavar="N", help="Of --shuffle (1701).")
@click.option("--max-bad", type=click.IntRange(0), default=0, metavar="N", help="Images that may be left out (0).")
@click.option("--overwrite", is_flag=True, help="Replace a database that is there (no other files).")
@click.pass_obj
def verb(
    settings: Settings,
    /,
    root: str,
    file: Path,
    out: Path,
    backend: str,
    resize_width: int,
    resize_height: int,
    encode_type: str,
    **given: Any,
) -> None:
    """Make a database of the images in LIST.

    Each line of LIST is the name of an image, a blank or tab, and its label, a whole number. ROOT stands before every
    name. Keys are "%08d_name" with the number of the line, from 0, or of the place after --shuffle. Pixels are BGR, and
    resized as OpenCV does it. An image that cannot be used is named with its line; unless --max-bad allows it, no
    database is made then.
    """
    if bool(resize_width) != bool(resize_height):
        missing = "--resize_height" if resize_width else "--resize_width"
        raise UsageError(f"{missing} is missing: images are resized where both are given")
    from brew.datasets.imageset import Conversion, convert
    from brew.layer import shape_text

    wanted = Conversion(
        backend=backend.upper(),
        size=(resize_height, resize_width) if resize_width else None,
        encode_type=encode_type.removeprefix("."),
        **given,
    )
    with bar(settings) as progress:
        made = convert(root, file, out, wanted, progress)
    shape = "of several sizes" if made.shape is None else f"of {shape_text(made.shape)}"
    left_out = f", {made.left_out} images left out" if made.left_out else ""
    echo(f"{out}: {wanted.backend}, {made.records} records {shape}{left_out}")

"""`brew resize_and_crop_images`: images as squares, as Caffe's script of that name makes them."""

from __future__ import annotations

from pathlib import Path

import click

from brew.tools.parts.command import Choice, Command, Settings
from brew.tools.parts.live import bar
from brew.tools.parts.output import echo

_SOME_BAD = 1
_PATH = click.Path(path_type=Path)


@click.command(name="resize_and_crop_images", cls=Command)
@click.option("--input-folder", required=True, metavar="FOLDER", type=_PATH, help="Of the images.")
@click.option("--output-folder", required=True, metavar="FOLDER", type=_PATH, help="Of the squares.")
@click.option("--input", "file", metavar="LIST", type=_PATH, help="Names of images, a line each (all).")
@click.option("--output-side-length", type=click.IntRange(1, 65500), default=256, metavar="N", help="Their side (256).")
@click.option("--image-lib", type=Choice(("opencv", "pil")), default="opencv", help="Whose way to resize (opencv).")
@click.option("--num-clients", type=click.IntRange(1, 512), metavar="N", help="Threads (one for each core).")
@click.option("--max-bad", type=click.IntRange(0), default=0, metavar="N", help="Images that may fail (0).")
@click.option("--overwrite", is_flag=True, help="Write squares anew that are there (else they are kept).")
@click.pass_obj
def verb(
    settings: Settings,
    input_folder: Path,
    output_folder: Path,
    file: Path | None,
    output_side_length: int,
    image_lib: str,
    num_clients: int | None,
    max_bad: int,
    overwrite: bool,
) -> int:
    """Bring the shorter side of images to a length, and cut out the middle.

    The squares stand in the output folder as the images do in the input folder. A call that was stopped goes on when
    it is made again. An image that cannot be used is named; exit code 1 says that there were more than --max-bad.

    opencv resizes without averaging, and writes the kind of file that the name says. pil leaves pixels out, then
    averages, keeps what is small, and writes JPEG files.
    """
    from brew.cpu import threads
    from brew.datasets.squaring import Squares, names_in, names_of_list

    squares = Squares(
        input_folder, output_folder, output_side_length, "pil" if image_lib == "pil" else "opencv", overwrite
    )
    squares.check()
    names = names_in(input_folder, output_folder) if file is None else names_of_list(file, input_folder)
    with bar(settings) as progress:
        made = squares.make(names, num_clients or threads.wanted(), progress)
    kept = f", {made.kept} were there" if made.kept else ""
    bad = f", {made.bad} cannot be used" if made.bad else ""
    echo(f"{output_folder}: {made.written} images written{kept}{bad}")
    return _SOME_BAD if made.bad > max_bad else 0

"""`brew detect`: the scores of a net for windows of images, as Caffe's detect.py writes them."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from brew.errors import InputError, Place, UsageError
from brew.tools.parts.command import Choice, Command, Settings
from brew.tools.parts.live import bar
from brew.tools.parts.output import echo
from brew.tools.parts.pycaffe_options import Preparation, pycaffe_options

_SIDES = ("ymin", "xmin", "ymax", "xmax")
_MODES = ("list", "selective_search")
_AT_ONCE = 64  # windows in memory
Windows = list[tuple[str, list[list[int]]]]  # by image, in the order of their first windows


@click.command(name="detect", cls=Command)
@click.argument("source", metavar="INPUT", type=click.Path(path_type=Path))
@click.argument("out", metavar="OUTPUT", type=click.Path(path_type=Path))
@pycaffe_options
@click.option("--crop-mode", type=Choice(_MODES), default="selective_search", help="Whose windows.")
@click.option("--context-pad", type=click.IntRange(0), default=16, metavar="N", help="Pixels around a window (16).")
@click.pass_obj
def verb(settings: Settings, /, source: Path, out: Path, crop_mode: str, context_pad: int, **given: Any) -> None:
    """Run a net over windows of images, and write the windows with its first output to OUTPUT (.h5 or .csv).

    --crop_mode=list: INPUT is a .csv with the columns filename, xmin, ymin, xmax and ymax. selective_search: INPUT is a
    .txt with the name of an image a line, or such a .csv, and the package selective_search_ijcv_with_python proposes
    windows. A mean image is averaged to a number for each channel. OUTPUT: the columns filename, ymin, xmin, ymax,
    xmax, class0 ... of a .csv, the datasets filename, window and prediction of an .h5.
    """
    import numpy as np

    from brew.files.overwriting import check

    prepared = Preparation(**given)
    is_csv = out.suffix.lower() == ".csv"
    check(out, _kind(is_csv))
    windows = _read(source, need_windows=crop_mode == "list")
    prepared.use_device()
    mean = prepared.mean()
    if mean is not None and mean.ndim == 3:
        mean = mean.mean((1, 2), dtype=np.float64).astype(np.float32)
    from brew.caffe.detector import Detector

    net = Detector(
        prepared.model_def, prepared.pretrained_model, mean=mean, context_pad=context_pad, **prepared.arguments()
    )
    start = time.perf_counter()
    with bar(settings) as progress:
        if crop_mode == "list":
            found = _of_windows(net, windows, progress)
        else:
            found = net.detect_selective_search([name for name, _ in windows])
    echo(f"Processed {len(found)} windows in {time.perf_counter() - start:.3f} s.")
    if not found:
        raise InputError(f"{source} gives no window: there is nothing to write")
    start = time.perf_counter()
    _write(out, found, is_csv)
    echo(f"Saved to {out} in {time.perf_counter() - start:.3f} s.")


def _of_windows(net: Any, windows: Windows, progress: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    total = sum(len(some) for _, some in windows)
    for name, some in windows:
        for begin in range(0, len(some), _AT_ONCE):
            found += net.detect_windows([(name, some[begin : begin + _AT_ONCE])])
            progress("windows", len(found), total)
    return found


def _read(source: Path, *, need_windows: bool) -> Windows:
    """The images of a list, with their windows where it is a table. InputError with the line that is wrong."""
    from brew.files import regular

    kind = source.suffix.lower()
    if kind not in (".txt", ".csv"):
        raise UsageError(f"{source}: a .txt (names of images) or a .csv (windows) is expected")
    if need_windows and kind == ".txt":
        raise UsageError(f"{source} has no windows: --crop_mode=list needs a .csv", hint="filename,xmin,ymin,xmax,ymax")
    try:
        text = regular.read_text(source, "utf-8-sig", "surrogateescape")
    except OSError as error:
        raise InputError(f"{source} cannot be read: {error.strerror or error}") from None
    if kind == ".txt":
        return [(line.strip(), []) for line in text.split("\n") if line.strip()]
    rows = _rows(text, source)
    titles = [title.strip().lower() for title in next(rows, (1, []))[1]]
    if missing := [title for title in ("filename", *_SIDES) if title not in titles]:
        text = f"the first line has no column {', '.join(missing)}"
        raise InputError(text, place=Place(str(source), 1), hint="filename,xmin,ymin,xmax,ymax is expected")
    found: dict[str, list[list[int]]] = {}
    for line, row in rows:
        if not any(cell.strip() for cell in row):
            continue
        try:
            sides = [int(float(row[titles.index(side)])) for side in _SIDES]
            found.setdefault(row[titles.index("filename")].strip(), []).append(sides)
        except (IndexError, ValueError, OverflowError):
            text = f"{len(titles)} columns with numbers for {', '.join(_SIDES)} are expected"
            raise InputError(text, place=Place(str(source), line)) from None
    return list(found.items())


def _rows(text: str, source: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows of a table, each with the number of its last line. InputError for what csv cannot read."""
    reader = csv.reader(io.StringIO(text), skipinitialspace=True)
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise InputError(f"this is no table: {error}", place=Place(str(source), reader.line_num)) from None


def _kind(is_csv: bool) -> Any:
    from brew.data.hdf5.writer import BATCH_KIND
    from brew.files import regular
    from brew.files.overwriting import Kind

    head = f"filename,{','.join(_SIDES)},".encode()
    return Kind("a table of detections", lambda path: regular.head(path, 64).startswith(head)) if is_csv else BATCH_KIND


def _write(out: Path, found: Sequence[dict[str, Any]], is_csv: bool) -> None:
    import numpy as np

    from brew.data.hdf5.writer import write_datasets
    from brew.files.atomic import replacing

    windows = np.array([each["window"] for each in found], np.int64)
    scores = np.array([np.ravel(each["prediction"]) for each in found], np.float32)
    if not is_csv:
        names = np.array([str(each["filename"]).encode("utf-8", "surrogateescape") for each in found])
        write_datasets(out, {"filename": names, "window": windows, "prediction": scores})
        return
    with (
        replacing(out, _kind(is_csv)) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["filename", *_SIDES, *(f"class{number}" for number in range(scores.shape[1]))])
        for each, window, row in zip(found, windows.tolist(), scores, strict=True):
            table.writerow([each["filename"], *window, *row.tolist()])

"""`brew classify`: the scores of a net for images, as Caffe's classify.py writes them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from brew.errors import InputError, UsageError
from brew.files.paths import expanded
from brew.tools.parts.command import Command, Settings
from brew.tools.parts.live import bar
from brew.tools.parts.output import echo
from brew.tools.parts.pycaffe_options import Preparation, pycaffe_options, whole_numbers

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.generic]

_AT_ONCE = 32  # images in memory
_SHOWN = 5  # classes of an image that are printed


@click.command(name="classify", cls=Command)
@click.argument("source", metavar="INPUT", type=click.Path(path_type=Path))
@click.argument("out", metavar="OUTPUT", type=click.Path(path_type=Path))
@pycaffe_options
@click.option("--center-only", is_flag=True, help="Take the middle of each image, not the mean over ten crops.")
@click.option("--images-dim", default="256,256", metavar="H,W", help="Size that images are brought to (256,256).")
@click.option("--ext", default="jpg", metavar="ENDING", help="Of the images in a folder (jpg).")
@click.option("--labels", metavar="FILE", help="Names of classes, one a line: print the best five of each image.")
@click.pass_obj
def verb(
    settings: Settings,
    /,
    source: Path,
    out: Path,
    center_only: bool,
    images_dim: str,
    ext: str,
    labels: str | None,
    **given: Any,
) -> None:
    """Run a net over INPUT, and write its first output to OUTPUT (.npy): a row of scores for each image.

    INPUT is an image, a folder, whose images with the ending --ext are taken in the order of their names, or an array
    (.npy) of images x rows x columns x channels, RGB from 0 to 1. Each image is brought to --images_dim and cropped to
    the net's input: corners, middle, and the five mirrored.
    """
    from brew.data.labels import read_labels
    from brew.files.npy import NPY_KIND, write_npy
    from brew.files.overwriting import check

    prepared, dims = Preparation(**given), whole_numbers("--images_dim", images_dim, 2)
    out = out if out.suffix == ".npy" else Path(f"{out}.npy")  # as NumPy names it
    check(out, NPY_KIND)
    names = read_labels(Path(labels)) if labels else ()
    images = _Images(expanded(source), ext)
    prepared.use_device()
    from brew.caffe.classifier import Classifier

    mean = prepared.mean()
    net = Classifier(prepared.model_def, prepared.pretrained_model, image_dims=dims, mean=mean, **prepared.arguments())
    echo(f"Classifying {len(images)} inputs.")
    start = time.perf_counter()
    with bar(settings) as progress:
        scores = _scores(net, images, not center_only, progress)
    echo(f"Done in {time.perf_counter() - start:.2f} s.")
    for name, row in zip(images.names, scores, strict=True) if names else ():
        echo(f"{name}: {_best(row, names)}")
    echo(f"Saving results into {out}")
    write_npy(out, scores)


class _Images:
    """The images of an input, read a few at a time."""

    def __init__(self, source: Path, ending: str) -> None:
        self._array: Any = None
        if source.suffix.lower() == ".npy":
            echo(f"Loading file: {source}")
            self._array = self._read(source)
            self.names = [f"{source}[{number}]" for number in range(len(self._array))]
        elif source.is_dir():
            echo(f"Loading folder: {source}")
            wanted = f".{ending.removeprefix('.')}"
            found = [path for path in source.iterdir() if path.name.endswith(wanted) and not path.name.startswith(".")]
            self.names = sorted(map(str, found))
            if not self.names:
                raise UsageError(f"no image in {source} ends with {wanted}", hint="--ext names another ending")
        else:
            echo(f"Loading file: {source}")
            self.names = [str(source)]

    def __len__(self) -> int:
        return len(self.names)

    def chunks(self) -> Iterator[list[Array]]:
        """A few images after the other: (rows, columns, channels)."""
        from brew.caffe.images import files

        for start in range(0, len(self), _AT_ONCE):
            end = min(start + _AT_ONCE, len(self))
            if self._array is not None:
                yield list(self._array[start:end])
            else:
                yield [files.load(name, color=True) for name in self.names[start:end]]

    @staticmethod
    def _read(path: Path) -> Array:
        from brew.files.npy import read_npy

        array = read_npy(path, "input")
        if array.ndim == 3:
            array = array[None]
        if array.ndim != 4 or not array.size:
            shape = " x ".join(map(str, array.shape))
            raise InputError(f"{path} is {shape}; images x rows x columns x channels are expected")
        return array


def _scores(net: Any, images: _Images, oversample: bool, progress: Any) -> Array:
    import numpy as np

    made: list[Array] = []
    for chunk in images.chunks():
        made.append(net.predict(chunk, oversample))
        progress("images", sum(map(len, made)), len(images))
    return np.concatenate(made)


def _best(row: Any, names: tuple[str, ...]) -> str:
    """The best classes of an image with their scores."""
    order = (-row.reshape(-1)).argsort(kind="stable")[:_SHOWN]
    return ", ".join(f"{row.flat[k]:.4f} {names[k] if k < len(names) else k}" for k in order.tolist())

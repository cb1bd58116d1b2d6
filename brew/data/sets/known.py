"""Data sets to begin with, as the LMDBs that Caffe's examples expect: MNIST and the small digits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from brew.data.databases.database import Record
from brew.data.databases.lmdb_writer import staged_lmdb
from brew.data.databases.new import check_target
from brew.errors import DataError, ResourceError, UsageError, did_you_mean
from brew.files.atomic import reason
from brew.files.download import Expected, Progress, download, forget, unpack
from brew.proto.brew_pb2 import Datum

Images = npt.NDArray[np.uint8]

_DIGITS_TRAIN = 1437  # of 1,797


def names() -> list[str]:
    """The data sets `get` knows."""
    return sorted(_SETS)


def get(
    name: str,
    folder: Path,
    *,
    from_folder: Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> list[Path]:
    """Write data set `name` into `folder`, as NAME_train_lmdb and NAME_test_lmdb; returns the two paths.

    mnist     60,000 and 10,000 images of 28 x 28 pixels; downloaded, or taken from the idx files (gzipped or not)
              in `from_folder`; the files are checked
    digits    1,437 and 360 images of 8 x 8 pixels, which come with Brew

    `progress(what, done, total)` is called with bytes while downloading and records while writing. Raises UsageError
    for an unknown name, DataError for files that are missing or wrong and for targets that exist (unless
    `overwrite`), ResourceError where the disk is full or cannot be written: then nothing of the set is left there.
    """
    with getting(name, folder, from_folder=from_folder, overwrite=overwrite, progress=progress) as targets:
        return targets


@contextmanager
def getting(
    name: str,
    folder: Path,
    *,
    from_folder: Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Iterator[list[Path]]:
    """As `get`; both databases are complete when the block begins, and appear when the block ends well."""
    if name not in _SETS:
        known = f"known data sets: {', '.join(names())}"
        near = did_you_mean(name, _SETS)
        raise UsageError(f'there is no data set "{name}"', hint=f"{near} {known}" if near else known)
    targets = [folder / f"{name}_{part}_lmdb" for part in ("train", "test")]
    for target in targets:
        check_target(target, overwrite=overwrite)
    is_new = not folder.exists()
    try:
        with ExitStack() as stack:
            parts = _SETS[name](folder, from_folder, progress)
            for target, (images, labels) in zip(targets, parts, strict=True):
                records = _records(images, labels, target.name, progress)
                stack.enter_context(staged_lmdb(target, records, overwrite=overwrite))
            yield targets
    except BaseException:
        if is_new:
            with suppress(OSError):  # there may be parts of files that a later call needs
                folder.rmdir()
        raise


def _records(images: Images, labels: Images, what: str, progress: Progress | None) -> Iterator[Record]:
    """Datums of gray images under 8-digit keys, as convert_mnist_data writes them."""
    height, width = images.shape[1:]
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        datum = Datum(channels=1, height=height, width=width, data=image.tobytes(), label=int(label))
        yield b"%08d" % i, datum.SerializeToString()
        if progress is not None and (i + 1) % 1000 == 0:
            progress(what, i + 1, len(images))
    if progress is not None:
        progress(what, len(images), len(images))


def _mnist(folder: Path, from_folder: Path | None, progress: Progress | None) -> list[tuple[Images, Images]]:
    known = catalogue()["mnist"]
    files = [Expected(name, e["size"], e["sha256"]) for name, e in known["files"].items()]
    if from_folder is not None:
        contents = [unpack(_given(from_folder, file.name), file) for file in files]
    else:
        with _arriving(folder / ".mnist-download", files) as arriving:
            contents = [download(known["mirrors"], file, arriving, progress) for file in files]
    train_images, train_labels, test_images, test_labels = map(read_idx, contents)
    return [(train_images, train_labels), (test_images, test_labels)]


@contextmanager
def _arriving(folder: Path, files: Sequence[Expected]) -> Iterator[Path]:
    """A folder for downloads. They stay where mirrors fail, for a later call to go on; not on a full disk."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(f"cannot make the folder {folder}: {reason(error)}") from error
    try:
        yield folder
    except ResourceError:
        _clear(folder, files)
        raise
    _clear(folder, files)


def _clear(folder: Path, files: Sequence[Expected]) -> None:
    for file in files:
        forget(folder, file)
    with suppress(OSError):  # the user's files in it stay
        folder.rmdir()


def _given(folder: Path, name: str) -> Path:
    for candidate in (name, f"{name}.gz", name.replace("-idx", ".idx")):
        if (folder / candidate).is_file():
            return folder / candidate
    raise DataError(f"{folder} has neither {name} nor {name}.gz")


def _digits(folder: Path, from_folder: Path | None, progress: Progress | None) -> list[tuple[Images, Images]]:
    """Values 0 to 16 become 0 to 255, so that the nets' scale of 1/256 fits; the order was shuffled once."""
    if from_folder is not None:
        raise UsageError('data set "digits" comes with Brew: it is not taken from a folder')
    with np.load(Path(__file__).with_name("digits.npz")) as stored:
        images, labels = stored["images"], stored["labels"]
    pixels = np.rint(images * (255 / 16)).astype(np.uint8)
    at = _DIGITS_TRAIN
    return [(pixels[:at], labels[:at]), (pixels[at:], labels[at:])]


def read_idx(content: bytes) -> Images:
    """An idx file of unsigned bytes as an array; DataError for anything else."""
    kind, axes = content[2:4] if content[:2] == b"\0\0" and len(content) >= 4 else (0, 0)
    shape = tuple(np.frombuffer(content, ">u4", axes, 4).tolist()) if len(content) >= 4 + 4 * axes else (-1,)
    values = np.frombuffer(content, np.uint8)[4 + 4 * axes :]
    if kind != 8 or values.size != np.prod(shape):
        raise DataError(f"{len(content)} bytes that are no idx file of unsigned bytes")
    return values.reshape(shape)


def catalogue() -> dict[str, Any]:
    """datasets.yaml: mirrors, sizes and sums of what is downloaded."""
    import yaml

    content: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("datasets.yaml").read_text("utf-8"))
    return content


_SETS: dict[str, Callable[[Path, Path | None, Progress | None], list[tuple[Images, Images]]]] = {
    "digits": _digits,
    "mnist": _mnist,
}

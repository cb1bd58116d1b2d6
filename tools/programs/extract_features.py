"""`brew extract_features`: the values of blobs for every record, as Caffe's program writes them."""

from __future__ import annotations

import logging
import re
from contextlib import ExitStack
from pathlib import Path

import click

from brew.errors import UsageError
from brew.tools.parts.command import Choice, Command, Settings
from brew.tools.parts.gpu import device_for
from brew.tools.parts.live import bar
from brew.tools.parts.net_options import engine_option, names, threads_option
from brew.tools.parts.output import echo

_log = logging.getLogger("brew")
_LOGGED = 1000  # records between two lines of the log
_DEVICE = re.compile(r"(?:DEVICE_ID=)?(\d+)", re.I)


@click.command(name="extract_features", cls=Command)
@click.argument("weights", metavar="WEIGHTS")
@click.argument("model", metavar="NET")
@click.argument("blobs", metavar="BLOB[,BLOB...]")
@click.argument("outs", metavar="DB[,DB...]")
@click.argument("batches", metavar="NBATCH", type=click.IntRange(1))
@click.argument("kind", metavar="DBTYPE", type=Choice(("lmdb", "leveldb", "hdf5")))
@click.argument("device", metavar="[CPU|GPU]", type=Choice(("CPU", "GPU")), default="CPU")
@click.argument("number", metavar="[DEVICE_ID=N]", default="0")
@threads_option
@engine_option
@click.option("--overwrite", is_flag=True, help="Replace databases that are there (no other files).")
@click.pass_obj
def verb(
    settings: Settings,
    weights: str,
    model: str,
    blobs: str,
    outs: str,
    batches: int,
    kind: str,
    device: str,
    number: str,
    overwrite: bool,
) -> None:
    """Run NET, which has a data layer, over NBATCH batches, and write the values of each BLOB to its DB.

    DBTYPE lmdb or leveldb: a record of floats for every item, with its number in ten digits as key. hdf5: a file with
    one dataset, called as the blob ("_" for "/"). Records come in the order of the data, again from the start behind
    the last.
    """
    asked, folders = names(blobs), [Path(out) for out in names(outs)]
    if len(asked) != len(folders) or not asked:
        raise UsageError(f"{len(asked)} blobs and {len(folders)} databases: each blob needs a database of its own")
    twice = next((folder for folder in folders if folders.count(folder) > 1), None)
    if twice is not None:
        raise UsageError(f"{twice} stands there twice: each blob needs a database of its own")
    where = _device(device, number)
    from brew.datasets.extracted import check_out

    for folder in folders:
        check_out(folder, kind, overwrite=overwrite)
    _extract((model, weights, where), asked, folders, (kind, batches, overwrite), settings)


def _device(device: str, number: str) -> str:
    """The device of Caffe's last two arguments; UsageError, DeviceError."""
    found = _DEVICE.fullmatch(number)
    if found is None:
        raise UsageError(f'DEVICE_ID=N or N is expected, not "{number}"')
    if device != "GPU":
        _log.info("Using CPU", extra=_glog(69))
        return "cpu"
    made = device_for(found[1]) or "cpu"
    _log.info("Using GPU", extra=_glog(58))
    _log.info("Using Device_id=%s", found[1], extra=_glog(64))
    return made


def _extract(
    net_of: tuple[str, str, str], blobs: list[str], folders: list[Path], how: tuple[str, int, bool], settings: Settings
) -> None:
    from brew.datasets.extracted import extracted
    from brew.layer import TEST, shape_text
    from brew.net.net import Net

    (model, weights, where), (kind, batches, overwrite) = net_of, how
    try:
        net = Net(model, phase=TEST, device=where, keep=blobs, forward_only=True)
    except UsageError as error:  # on `keep`, by which name no user knows it
        raise UsageError(f"{model}: {error.message.removeprefix('keep: ')}", hint=error.hint) from None
    try:
        net.copy_from(weights)
        if net.inputs:
            _log.warning("%s: an input without data stays 0; such values say nothing", ", ".join(net.inputs))
        _log.info("Extracting Features", extra=_glog(148))
        with ExitStack() as stack, bar(settings) as progress:
            pairs = zip(folders, blobs, strict=True)
            places = [stack.enter_context(extracted(out, kind, blob, overwrite=overwrite)) for out, blob in pairs]
            for batch in range(batches):
                net.run_forward()
                for place, blob in zip(places, blobs, strict=True):
                    before = place.count // _LOGGED
                    place.put(net.blobs[blob].data, batches)
                    if place.count // _LOGGED > before:
                        _tell(place.count, blob, 180)
                progress("batches", batch + 1, batches)
        for place, blob in zip(places, blobs, strict=True):
            _tell(place.count, blob, 191)
        _log.info("Successfully extracted the features!", extra=_glog(196))
        shapes = [net.blobs[blob].shape[1:] for blob in blobs]
    finally:
        net.close()
    for place, blob, out, shape in zip(places, blobs, folders, shapes, strict=True):
        echo(f"{out}: {kind.upper()}, {place.count} records of {blob}: {shape_text(shape)}")


def _tell(count: int, blob: str, line: int) -> None:
    _log.info("Extracted features of %d query images for feature blob %s", count, blob, extra=_glog(line))


def _glog(line: int) -> dict[str, str]:
    return {"glog": f"extract_features.cpp:{line}"}

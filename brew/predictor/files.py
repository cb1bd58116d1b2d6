"""The files of a model: its net, its weights, its metadata, from whatever `brew.load` was given."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from pathlib import Path

import brew.model_zoo
from brew.data import labels
from brew.errors import DataError, InputError, NetError, Place, UsageError, WeightsError, did_you_mean
from brew.files.paths import expanded
from brew.files.weights import recognising, stored_net
from brew.files.weights.reading import Weights
from brew.graph.definition import NetDefinition, define
from brew.layer import TEST
from brew.solver.net_file import read_net
from brew.solver.snapshots import snapshot

from .metadata import Metadata, front_matter, image_layer, merged, of_import, of_model_yaml, of_training

log = logging.getLogger("brew")

_ENDINGS = ".caffemodel", ".h5", ".hdf5", ".safetensors"
_ITERATION = re.compile(r"^(.*)_iter_(\d+)$")
_SHOWN = 200  # characters of a path in a message
README = "readme.md"


@dataclass(frozen=True, slots=True)
class Found:
    """`net` as its file has it, for training or for use; `weights` None where there are none; `metadata` of files.

    `source` is what the net was read from, in words.
    """

    net: NetDefinition
    weights: Weights | None
    folder: Path | None
    source: str
    metadata: Metadata = field(default_factory=Metadata)


def find(source: str | Path, weights: Weights | None) -> Found:
    """The files of a folder, a net, a file of weights that holds its net, a solver state, or a net of the zoo.

    `weights` are the caller's. UsageError where there is no such thing, or it is not clear which file is meant,
    DataError where it cannot be read.
    """
    try:
        return _found(source, expanded(source), weights)
    except OSError as error:  # a folder that may not be entered, a name too long
        raise DataError(f"{str(source)[:_SHOWN]} cannot be read: {error.strerror or error}") from None


def _found(source: str | Path, path: Path, weights: Weights | None) -> Found:
    if path.is_dir():
        return _of_folder(path, weights)
    if path.is_file():
        return _of_file(path, weights)
    zoo = _zoo()
    if isinstance(source, str) and source in zoo:
        return _of_folder(zoo[source], weights)
    if path.suffix.lower() == ".onnx":
        raise _onnx(source)
    beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    names = zoo if path.parent == Path() and not path.suffix else {}
    raise UsageError(
        f"there is no file, folder or net of the zoo {str(source)!r}",
        hint=did_you_mean(path.name, [*beside, *names]) or f"the zoo has {', '.join(zoo)}",
    )


def _zoo() -> dict[str, Path]:
    folders = (path for root in brew.model_zoo.__path__ for path in Path(root).iterdir())
    return {path.name: path for path in sorted(folders) if (path / "train_val.prototxt").is_file()}


def _onnx(source: object) -> UsageError:
    return UsageError(f"{source}: ONNX files cannot be read yet", hint="a .prototxt and its weights are")


# --- one file ---------------------------------------------------------------------------------------------------------


def _of_file(path: Path, weights: Weights | None) -> Found:
    if path.suffix.lower() == ".onnx":
        raise _onnx(path)
    kind = recognising.recognise(path)
    noun = kind.noun if kind else "a file of unknown kind"
    if noun == recognising.STATE:
        learned = snapshot.weights_of(snapshot.read_state(path), path)
        if learned is None:
            raise WeightsError("this solver state names no weights", place=Place(str(path)))
        return _of_weights(learned, weights)
    if noun == recognising.WEIGHTS:
        return _of_weights(path, weights)
    if noun not in (recognising.NET, recognising.SOLVER):
        hint = "it takes a folder, a net, a .caffemodel, a solver state or the name of a net of the zoo"
        raise UsageError(f"{path} is {noun}: brew.load makes no model of it", hint=hint)
    return _of_net(path, weights)


def _of_weights(path: Path, weights: Weights | None) -> Found:
    """A .caffemodel: the net it was trained as stands in it."""
    if weights is not None:
        raise UsageError(f"{path} holds weights already: weights={weights!r} goes with a net")
    try:
        net = define(stored_net.read_stored_net(path))
    except WeightsError as error:
        error.hint = f'give its net too: brew.load("deploy.prototxt", weights="{path.name}")'
        raise
    return Found(net, path, path.parent, str(path), merged([_readme(path.parent), of_training(net)]))


def _of_net(path: Path, weights: Weights | None) -> Found:
    """A prototxt, for use or for training; its weights stand beside it where they are not given."""
    net = read_net(path, TEST).definition
    readme = _readme(path.parent)
    if weights is None:
        weights = _weights_in(path.parent, readme)
    training = net if _reads_data(net) else _training_net(path, net)
    return Found(
        net, weights, path.parent, str(path), merged([readme, of_training(training)] if training else [readme])
    )


def _training_net(path: Path, net: NetDefinition) -> NetDefinition | None:
    """The net for training that stands beside a net for use: the one of the same name, or else the only one."""
    candidates = []
    for other in sorted(path.parent.glob("*train*.prototxt")):
        kind = recognising.recognise(other)
        if other == path or kind is None or kind.noun != recognising.NET:
            continue
        try:
            definition = define(other)
        except InputError as error:
            log.warning("%s is not read: %s", other, error)
            continue
        if _reads_data(definition):
            candidates.append((other, definition))
    alike = [pair for pair in candidates if pair[1].net.shell.name == net.net.shell.name] or candidates
    if len(alike) > 1:
        log.warning("%s: %s could be its net for training: none is read", path, " and ".join(str(p) for p, _ in alike))
    if len(alike) != 1:
        return None
    log.info("%s: pictures are prepared as in %s", path, alike[0][0])
    return alike[0][1]


def _reads_data(net: NetDefinition) -> bool:
    """Whether a net says how its data is prepared."""
    return image_layer(net) is not None or of_import(net).preparation is not None


# --- a folder ---------------------------------------------------------------------------------------------------------


def _of_folder(folder: Path, weights: Weights | None) -> Found:
    """deploy.prototxt, else train_val.prototxt, else the only net; weights as in `_weights_in`."""
    nets = [
        p for p in sorted(folder.glob("*.prototxt")) if (k := recognising.recognise(p)) and k.noun == recognising.NET
    ]
    for matches in (["deploy.prototxt"], [p.name for p in nets if "deploy" in p.stem], ["train_val.prototxt"]):
        chosen = [p for p in nets if p.name in matches]
        if len(chosen) == 1:
            return _of_net(chosen[0], weights)
    used = [p for p in nets if "train" not in p.stem] or nets
    if len(used) == 1:
        return _of_net(used[0], weights)
    if used:
        names = ", ".join(p.name for p in used)
        raise UsageError(f"{folder} holds several nets ({names}): give the one that is meant")
    if weights is None and (found := _weights_in(folder, _readme(folder))) is not None:
        return _of_weights(found, None)
    raise UsageError(f"{folder} holds no net: deploy.prototxt or train_val.prototxt is expected")


def _weights_in(folder: Path, readme: Metadata) -> Path | None:
    """The weights that the readme names; else the only ones; of snapshots of one training the last. UsageError where
    there are several others."""
    if readme.caffemodel is not None and (folder / readme.caffemodel).is_file():
        return folder / readme.caffemodel
    files = [p for p in sorted(folder.iterdir()) if p.suffix in _ENDINGS and p.is_file() and _are_weights(p)]
    snapshots = [match for p in files if (match := _ITERATION.match(p.stem))]
    if len(files) > 1 and len(snapshots) == len(files) and len({match[1] for match in snapshots}) == 1:
        last = max(files, key=lambda p: (int(_ITERATION.sub(r"\2", p.stem)), p.suffix == ".caffemodel"))
        log.info("%s: the weights of the last snapshot, %s", folder, last.name)
        return last
    if len(files) > 1:
        names = ", ".join(p.name for p in files)
        raise UsageError(f"{folder} holds several files of weights ({names}): weights= says which is meant")
    return files[0] if files else None


def _are_weights(path: Path) -> bool:
    kind = recognising.recognise(path)
    return kind is not None and kind.noun == recognising.WEIGHTS


# --- what stands beside a net -----------------------------------------------------------------------------------------


def _readme(folder: Path) -> Metadata:
    """Its metadata, and labels in a file of a usual name."""
    readme = next((p for p in sorted(folder.iterdir()) if p.name.lower() == README), None)
    said = Metadata() if readme is None else front_matter(readme)
    beside = next((folder / name for name in labels.FILES if (folder / name).is_file()), None)
    return said.or_else(of_model_yaml(folder)).or_else(Metadata(labels=beside))


def without_weights(found: Found) -> NetError:
    """The error for a model that has none."""
    return NetError(
        f"{found.source}: there are no weights beside it",
        hint='weights="x.caffemodel" gives them; weights="random" starts from the fillers',
    )

"""What must hold for any input read in this process: it is read, or a BrewError says why not; in bounded time and memory."""

from __future__ import annotations

import logging
import os
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import numpy as np

from brew import prototxt
from brew.data.transformer import Transformer
from brew.errors import BrewError
from brew.files.weights import reading
from brew.files.weights.caffemodel import read_blob
from brew.files.weights.stored import StoredBlob
from brew.graph.build import build
from brew.graph.definition import SelectedNet, define, select
from brew.graph.rewriting.upgrade_files import upgrade_net_file
from brew.layer import TEST, TRAIN, Context
from brew.layer.random import Seed
from brew.net import memory_report, weights
from brew.net.net import Net
from brew.net.parameters import Parameters
from brew.net.run.assembly import assemble
from brew.net.run.blobs import make_blobs
from brew.net.run.options import RunOptions
from brew.proto.brew_pb2 import NetParameter, SolverParameter, TransformationParameter
from brew.prototxt.placed import PlacedLayer
from brew.solver.snapshots import resume as resuming
from brew.solver.snapshots import snapshot
from brew.solver.solver import Solver
from brew.solver.training.config import SolverConfig

from .corpus import CONFORMANCE, NET

SECONDS = 2.0  # of this process's time for one input
GROWTH = 256 << 20  # bytes of memory for one input
_ADDRESSES = 2 << 30  # bytes that may be asked for beyond what there is at the start
_MOST_VALUES = 100_000  # of a mean that images are made for


class TooLong(BaseException):
    """An input took more than SECONDS."""


class TooMuch(BaseException):
    """An input took more than GROWTH of memory."""


class Oracle:
    """Reads inputs of every kind in a folder of its own, with the files beside them that they name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "given"
        shutil.copytree(CONFORMANCE / "data", self._folder)
        sgd = CONFORMANCE / "solvers" / "sgd_plain"
        for name in ("data.h5", "data.txt", "net.prototxt", "out_iter_12.caffemodel"):
            shutil.copy(sgd / name, self._folder)
        os.chdir(self._folder)
        self._small = Net(prototxt.parse(NET, NetParameter), TRAIN, device="cpu", seed=1)
        self._solvers = {kind: self._solver(kind) for kind in ("SGD", "Adam")}

    def _solver(self, kind: str) -> Solver:
        (self._folder / "small.prototxt").write_text(NET)
        text = f'net: "small.prototxt" max_iter: 20 base_lr: 0.1 lr_policy: "fixed" type: "{kind}" snapshot_prefix: "s"'
        return Solver(prototxt.parse(text, SolverParameter), device="cpu")

    def __call__(self, kind: str, data: bytes) -> bool:
        """Read `data`; whether it could be. Everything but BrewError goes through."""
        path = self._folder / f"mutant.{kind}"
        path.write_bytes(data)
        read: Callable[[Path], None] = getattr(self, f"read_{kind}")
        with _limited(), _formatted_log(), np.errstate(all="ignore"):
            try:
                read(path)
            except BrewError as error:
                str(error)
                return False
        return True

    def read_net(self, path: Path) -> None:
        """Parsed, upgraded, filtered and built for both phases, written as text, read again."""
        definition = define(path)
        message = definition.net.message()
        text = prototxt.to_text(message)
        assert prototxt.parse(text, NetParameter).message.SerializeToString() == message.SerializeToString()
        errors = [self._graph(select(definition, phase)) for phase in (TRAIN, TEST)]
        for error in filter(None, errors):
            raise error

    def _graph(self, net: SelectedNet) -> BrewError | None:
        def context(source: PlacedLayer) -> Context:
            return Context(net.state.phase, np.dtype(np.float32), Seed(1), source.place, net.folder)

        try:
            graph = build(net.layers, context, force_backward=net.force_backward)
            single = np.dtype(np.float32)
            parameters = Parameters(graph, single, "cpu")
            stamps = parameters.stamps
            blobs = make_blobs(graph, single, "cpu", stamps)
            executor = assemble(graph, blobs, parameters.slots, parameters.changes, stamps, RunOptions())
            memory_report.predict(executor, graph, 4, 1).text()
        except BrewError as error:
            return error
        return None

    def read_solver(self, path: Path) -> None:
        """Parsed and checked, with the nets it names."""
        config = SolverConfig(prototxt.read(path, SolverParameter))
        for choice in [config.train_net(), *config.test_nets()]:
            select(choice.definition, TRAIN, states=choice.states)
        config.weights()

    def read_weights(self, path: Path) -> None:
        """Every value read, copied into a net, and the file upgraded as a message."""
        try:
            for layer in reading.read(path):
                for blob in layer.blobs:
                    _touch(blob)
            weights.copy_into(self._small.parameters, path)
        finally:
            path.with_suffix(".out").unlink(missing_ok=True)
            upgrade_net_file(str(path), str(path.with_suffix(".out")))

    def read_state(self, path: Path) -> None:
        """Every value read, and training set to where the state was taken."""
        state = snapshot.read_state(path)
        for blob in state.history:
            _touch(blob)
        solver = self._solvers["Adam" if len(state.history) > 4 else "SGD"]
        resuming.restore(solver, path)
        resuming.state_of(solver)

    def read_mean(self, path: Path) -> None:
        """Read, and subtracted from an image of its size."""
        _touch(read_blob(path))
        param = TransformationParameter(mean_file=str(path), mirror=True, crop_size=2)
        context = Context(TEST, np.dtype(np.float32), Seed(1), lambda *_: None, path.parent)
        transformer = Transformer(param, context, "d", "Data")
        assert transformer.mean is not None
        if transformer.mean.size < _MOST_VALUES:
            images = np.zeros((1, *transformer.mean.shape), np.uint8)
            out = np.empty((1, *transformer.output_shape(images.shape[1:])), np.float32)
            transformer(images, 0, out)


def _touch(blob: StoredBlob) -> None:
    float(np.sum(blob.data)) + (0.0 if blob.diff is None else float(np.sum(blob.diff)))


@contextmanager
def _limited() -> Iterator[None]:
    """TooLong or TooMuch for what goes beyond the limits within; the clock is this process's own."""

    def stop(_: int, frame: FrameType | None) -> None:
        raise TooLong(f"more than {SECONDS} s, at {frame}")

    before = _peak(reset=True)
    handler = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        with _addresses():
            yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, handler)
    growth = _peak() - before
    if growth > GROWTH:
        raise TooMuch(f"{growth >> 20} MiB of memory")


def _peak(*, reset: bool = False) -> int:
    """The most bytes of memory this process had since the last reset (where the system knows of none: ever)."""
    if reset:
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


@contextmanager
def _addresses() -> Iterator[None]:
    """A MemoryError for requests of more than _ADDRESSES at once, used or not."""
    old = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + _ADDRESSES, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, old)


class _Formatter(logging.Handler):
    """Makes the text of every record, and lets go of it."""

    def emit(self, record: logging.LogRecord) -> None:
        record.getMessage()


@contextmanager
def _formatted_log() -> Iterator[None]:
    log = logging.getLogger("brew")
    before = log.level, log.propagate
    handler = _Formatter()
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.level, log.propagate = before

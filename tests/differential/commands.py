"""A case through the command line: its inputs come from HDF5 files, its weights from a file; `brew test` prints means of
outputs, `brew train` writes weights."""

from __future__ import annotations

import io
import logging
import re
from collections import defaultdict
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import h5py
import numpy as np

import brew
from brew import prototxt
from brew.proto.brew_pb2 import LayerParameter, SolverParameter
from brew.tools.cli import main

from .case import Case
from .run import REFERENCE, Outcome, Session, Way, feed
from .training import CLIP, DECAY, MOMENTUM, RATE

PASSES = 2
_MOST = 60  # numbers in outputs
_OTHER = {"DummyData", "MemoryData", "Data", "ImageData", "WindowData", "HDF5Data", "HDF5Output"}


def can_be_commanded(case: Case) -> bool:
    """Whether all that a case is given can come from files, and what it gives can be printed."""
    if case.force or _OTHER & {op.type for op in case.ops} or any(not case.values[v].shape for v in case.inputs):
        return False
    return sum(case.values[v].count for v in case.unread()) <= _MOST


def from_files(case: Case) -> Case:
    """The case with HDF5Data layers in place of its inputs; their files are written."""
    given = case.copy()
    given.passes = [case.passes[0]] * PASSES
    for op in given.ops:
        if op.type != "Input":
            continue
        [top] = op.tops
        batch = case.values[top].shape[0]
        with h5py.File(f"{op.name}.h5", "w") as file:
            file[f"v{top}"] = np.concatenate([feed(given, n)[top] for n in range(PASSES)]).astype("f4")
        Path(f"{op.name}.txt").write_text(f"{op.name}.h5\n")
        op.param = LayerParameter(type="HDF5Data")
        op.param.hdf5_data_param.source, op.param.hdf5_data_param.batch_size = f"{op.name}.txt", batch
    given.passes, given.touched, given.adds, given.fed = [{}] * PASSES, [], False, {}
    return given


def command(*arguments: str) -> str:
    """What `brew` prints to stdout; RuntimeError where it fails."""
    log = logging.getLogger("brew")
    before, out, err = (log.level, log.propagate, [*log.handlers]), io.StringIO(), io.StringIO()
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main(list(arguments))
    except SystemExit as ended:
        if ended.code:
            raise RuntimeError(f"brew {arguments[0]} ended with {ended.code}: {_last(err.getvalue())}") from ended
    finally:
        log.level, log.propagate, log.handlers = before[0], before[1], before[2]
    return out.getvalue()


class Commanded(Session):
    """The outcome of a command on a case from files."""

    def run(self) -> Outcome:
        plain = Session(self.case, REFERENCE)
        plain.net.save("start.caffemodel")
        plain.net.close()
        Path("net.prototxt").write_text(prototxt.to_text(self.spelling.net))
        engine = ["--engine", "caffe"] if self.way.engine == "caffe" else []
        return self._tested(engine) if self.case.phase == brew.TEST else self._trained(engine)

    def _tested(self, engine: list[str]) -> Outcome:
        printed = command(
            "test", "--model", "net.prototxt", "--weights", "start.caffemodel", "--iterations", str(PASSES), *engine
        )
        found = defaultdict[str, list[float]](list)
        for name, value in re.findall(r"^(\S+?) = (\S+)", printed, re.MULTILINE):
            found[name].append(float(value))
        names = {name: v for v, name in self.spelling.names.items()}  # the last of each name
        return {(0, "value", names[n]): np.array(v) for n, v in found.items() if n in names}

    def _trained(self, engine: list[str]) -> Outcome:
        param = SolverParameter(
            net="net.prototxt", base_lr=RATE, lr_policy="fixed", momentum=MOMENTUM, weight_decay=DECAY, clip_gradients=CLIP,
            max_iter=PASSES, random_seed=self.case.number + 1, snapshot_prefix="out", solver_mode=SolverParameter.CPU,
        )  # fmt: skip
        Path("solver.prototxt").write_text(prototxt.to_text(param))
        command("train", "--solver", "solver.prototxt", "--weights", "start.caffemodel", *engine)
        self.net.copy_from(f"out_iter_{PASSES}.caffemodel")
        return {
            (PASSES - 1, "weight", name, slot): self.peek(blob)
            for name, blobs in self.net.params.items() for slot, blob in enumerate(blobs)
        }  # fmt: skip


def reference(case: Case, outcome: Outcome) -> Outcome:
    """What a test prints, of the reference's outcome: means over the passes. A training's stays as it is."""
    if case.phase != brew.TEST:
        return outcome
    values = {key[2] for key in outcome if key[1] == "value"} - changing(outcome)
    return {(0, "value", v): np.mean([outcome[n, "value", v].ravel() for n in range(PASSES)], axis=0) for v in values}


def changing(outcome: Outcome) -> set[object]:
    """The values that have another number of elements in each pass: a test that would average one is refused."""
    return {key[2] for key, array in outcome.items() if key[1] == "value" and array.size != outcome[0, *key[1:]].size}


WAYS = [Way(manner="command"), Way(manner="command", engine="caffe")]


def _last(text: str) -> str:
    """The error at the end of a log."""
    lines = text.strip().splitlines()
    return " ".join(line for line in lines[-3:] if " solver.cpp" not in line)

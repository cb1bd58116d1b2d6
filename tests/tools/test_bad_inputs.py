"""Bad inputs: each gives one clear message at its place and its exit code; never a traceback, an abort or a SIGBUS.

The numbers are those of the list of faults this project was planned with; what could kill the process runs in one
of its own.
"""

from __future__ import annotations

import gzip
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from brew.data.databases.lmdb_writer import write_lmdb
from brew.proto.brew_pb2 import BlobProto, BlobShape, Datum, LayerParameter, NetParameter

DATA = Path(__file__).parents[1] / "fixtures"
WEIGHTS = DATA / "conformance" / "solvers" / "sgd_plain" / "out_iter_12.caffemodel"
Run = Callable[..., object]

NET = """name: "n"
layer {
  name: "data" type: "Input" top: "data" top: "label"
  input_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } shape { dim: 2 } }
}
layer {
  name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 group: 1 stride: 1 }
}
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "ip" type: "InnerProduct" bottom: "pool" top: "ip" inner_product_param { num_output: 5 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""
SOLVER = 'net: "net.prototxt"\nbase_lr: 0.01\nlr_policy: "fixed"\nmax_iter: 4\nsnapshot_prefix: "s"\n'


def _train(folder: Path, net: str = NET, solver: str = SOLVER) -> list[str]:
    (folder / "net.prototxt").write_text(net)
    (folder / "solver.prototxt").write_text(solver)
    return ["train", "--solver", "solver.prototxt"]


def _check(outcome: object, code: int, message: str) -> None:
    """The exit code, the message, and one block: error[...] in front, no traceback."""
    err = outcome.err  # type: ignore[attr-defined]
    assert outcome.code == code, err  # type: ignore[attr-defined]
    assert "Traceback" not in err and "internal error" not in err
    assert re.search(message, err, re.S), err
    assert len(re.findall(r"^(?:error\[|Error:)", err, re.M)) == 1 or code == 2, err


# --- prototxt: 1 to 4, 6 to 8 ---------------------------------------------------------------------------------------

TEXT = {
    "1 unknown field": ("kernel_size: 3", "kernal_size: 3", r'kernal_size.*did you mean "?kernel_size'),
    "1 unknown field of the net": ("layer {\n  name: \"conv", "lyaer {\n  name: \"conv", r"lyaer.*layer"),
    "1 field one level too high": ("convolution_param { num_output", "num_output: 4 convolution_param { num_output",
                                   r"num_output.*convolution_param"),
    "2 unclosed brace": ("group: 1 stride: 1 }\n}", "group: 1 stride: 1 }\n", r'net.prototxt:10:1.*is a "}" missing before it'),
    "2 unclosed brace at the end": ('top: "loss" }', 'top: "loss"', r"net.prototxt:12:7"),
    "3 unknown enum value": ("pool: MAX", "pool: MAXX", r"MAX, AVE, STOCHASTIC, not MAXX"),
    "3 not a number": ("kernel_size: 3", "kernel_size: 12x", r"net.prototxt:8:"),
    "3 negative for unsigned": ("stride: 1", "stride: -1", r"net.prototxt:8:.*-1"),
    "3 out of range": ("num_output: 4", "num_output: 99999999999", r"99999999999"),
    "4 wrong comment": ('name: "n"', '// name\nname: "n"', r"net.prototxt:1:1.*#"),
    "4 NUL byte": ('name: "n"', 'name: "n"\x00', r"net.prototxt:1:"),
    "6 bottom that no layer makes": ('bottom: "conv" top: "pool"', 'bottom: "cnv" top: "pool"',
                              r'"pool".*"cnv".*did you mean "conv".*|net.prototxt:10'),
    "6 top made twice": ('top: "loss"', 'top: "data"', r'"data" is already made by layer "data"'),
    "6 cycle": ('bottom: "data" top: "conv"', 'bottom: "ip" top: "conv"', r'layer "ip", further down, makes it'),
    "7 unknown type": ('"Convolution"', '"Convolutoin"', r'did you mean "Convolution"'),
    "7 a fork's type": ('type: "Pooling"', 'type: "Interp"', r'unknown type "Interp".*brew layers lists what is'),
    "8 group does not divide": ("group: 1", "group: 2", r'"conv".*group'),
    "8 kernel larger than input": ("kernel_size: 3", "kernel_size: 30", r'"conv".*(30|kernel)'),
    "8 stride 0": ("stride: 1", "stride: 0", r'"conv".*stride'),
    "8 negative dim": ("dim: 3 dim: 8", "dim: -3 dim: 8", r"-3"),
    "8 no num_output": ("num_output: 5", "", r'"ip".*num_output'),
    "8 two unequal shapes": ('name: "loss" type: "SoftmaxWithLoss"', 'name: "loss" type: "EuclideanLoss"',
                             r"2 x 5.*2"),
}  # fmt: skip


@pytest.mark.parametrize("case", TEXT, ids=str)
def test_nets(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, brew_run: Run) -> None:
    monkeypatch.chdir(tmp_path)
    before, after, message = TEXT[case]
    assert before in NET
    _check(brew_run(*_train(tmp_path, NET.replace(before, after, 1))), 3, message)


# --- solvers and commands: 11, 12, 26, 28 ---------------------------------------------------------------------------

SOLVERS = {
    "11 no net": (SOLVER.replace('net: "net.prototxt"\n', ""), 3, "no net is given"),
    "11 no max_iter": (SOLVER.replace("max_iter: 4\n", ""), 3, "max_iter is missing"),
    "11 unknown policy": (SOLVER.replace('"fixed"', '"stpe"'), 3, r'solver.prototxt:3:.*did you mean "step"'),
    "11 base_lr nan": (SOLVER.replace("0.01", "nan"), 3, r"solver.prototxt:2:"),
    "11 stepvalues fall": (SOLVER.replace('"fixed"', '"multistep" gamma: 1 stepvalue: 3 stepvalue: 2'), 3, "must rise"),
    "11 a net for a solver": (NET, 3, "SolverParameter"),
    "11 empty solver": ("", 3, "max_iter|net"),
    "26 no such folder": (SOLVER.replace('"s"', '"no/where/s"'), 7, r"no/where.*does not exist"),
    "no such net": (SOLVER.replace("net.prototxt", "nat.prototxt"), 3, r"solver.prototxt:1:.*nat.prototxt"),
}


@pytest.mark.parametrize("case", SOLVERS, ids=str)
def test_solvers(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, brew_run: Run) -> None:
    monkeypatch.chdir(tmp_path)
    text, code, message = SOLVERS[case]
    _check(brew_run(*_train(tmp_path, solver=text)), code, message)


COMMANDS = {
    "12 weights and snapshot": (["--weights", "w.caffemodel", "--snapshot", "s.solverstate"], 2, "cannot be given together"),
    "12 weights for a snapshot": (["--snapshot", "x.caffemodel"], 2, "weights, not a solver's state"),
    "12 a state for weights": (["--weights", "x.solverstate"], 2, "a solver's state, not weights"),
    "13 weights that are not there": (["--weights", "none.caffemodel"], 3, "none.caffemodel"),
    "28 a GPU that is not there": (["--gpu", "0"], 6, "no usable GPU"),
    "28 several GPUs": (["--gpu", "0,1"], 2, "2 GPUs at once are not supported yet"),
    "unknown field on the command line": (["--set", "bas_lr=1"], 3, r"--set bas_lr=1.*base_lr"),
    "no value on the command line": (["--set", "base_lr"], 3, r"--set base_lr"),
    "unknown option": (["--sovler", "x"], 2, "--solver"),
}  # fmt: skip


@pytest.mark.parametrize("case", COMMANDS, ids=str)
def test_commands(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, brew_run: Run) -> None:
    monkeypatch.chdir(tmp_path)
    options, code, message = COMMANDS[case]
    outcome = brew_run(*_train(tmp_path), *options)
    if case.startswith("28") and "CPU" not in str(outcome) and outcome.code == 0:  # type: ignore[attr-defined]
        pytest.fail("a GPU was found; this case is for machines without one")
    _check(outcome, code, message)


def test_28_solver_mode_gpu_in_a_file_is_a_wish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, brew_run: Run) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = brew_run(*_train(tmp_path, solver=SOLVER + "solver_mode: GPU\n"))
    assert outcome.code == 0, outcome.err  # type: ignore[attr-defined]
    assert "solver.prototxt:6:1: solver_mode is GPU, but" in outcome.err  # type: ignore[attr-defined]


def test_26_a_full_disk_keeps_the_old_snapshot(tmp_path: Path) -> None:
    """A write limit below the size of the weights: the last snapshot fails with exit 7, the old file is whole."""
    _train(tmp_path, NET.replace("num_output: 5", "num_output: 5000"))
    old = tmp_path / "s_iter_4.caffemodel"
    old.write_bytes(b"old and whole")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))

    code = "import signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); from brew.tools.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "train", "--solver", "solver.prototxt"],
        cwd=tmp_path, preexec_fn=limit, capture_output=True, text=True, timeout=120, env=_environment(),
    )  # fmt: skip
    assert done.returncode == 7, done.stderr
    assert "Traceback" not in done.stderr and "s_iter_4.caffemodel" in done.stderr
    assert old.read_bytes() == b"old and whole"
    assert not list(tmp_path.glob(".*tmp"))


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(DATA.parents[1])}


# --- weights: 13 to 15, 18 ------------------------------------------------------------------------------------------

MATCHING = """name: "n"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 6 } } }
layer { name: "ip1" type: "InnerProduct" bottom: "data" top: "ip1" inner_product_param { num_output: 8 } }
layer { name: "ip2" type: "InnerProduct" bottom: "ip1" top: "ip2" inner_product_param { num_output: 4 } }
"""


def _net_with(**blob: object) -> bytes:
    bias = BlobProto(shape=BlobShape(dim=[8]), data=[0.0] * 8)
    layer = LayerParameter(name="ip1", type="InnerProduct", blobs=[BlobProto(**blob), bias])  # type: ignore[arg-type]
    return NetParameter(name="n", layer=[layer]).SerializeToString()


def _h5(path: Path, build: Callable[[h5py.File], None]) -> None:
    with h5py.File(path, "w") as file:
        build(file)


def _external_storage(file: h5py.File) -> None:
    file.create_dataset("data/ip1/0", (8, 6), "f4", external=[("/etc/hostname", 0, 192)])


def _virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((8, 6), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (8, 6))
    file.create_virtual_dataset("data/ip1/0", layout)


def _external_link(file: h5py.File) -> None:
    file.create_group("data")["ip1"] = h5py.ExternalLink("/etc/passwd", "/x")


def _linked_twice(file: h5py.File) -> None:
    """Forty groups, each linked twice from the one before it."""
    group = file.create_group("data")
    for number in range(40):
        inner = file.create_group(f"group{number}")
        group["a"] = group["b"] = inner
        group = inner


def _in_itself(file: h5py.File) -> None:
    group = file.create_group("data").create_group("ip1")
    group["again"] = group


WEIGHT_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "13 truncated": (lambda p: p.write_bytes(WEIGHTS.read_bytes()[:300]), "truncated"),
    "13 random": (lambda p: p.write_bytes(np.random.default_rng(0).bytes(5000)), "5000 bytes"),
    "13 empty": (lambda p: p.write_bytes(b""), "empty|0 bytes"),
    "13 a web page": (lambda p: p.write_text("<!DOCTYPE html><html><body>404</body></html>"), "HTML"),
    "13 a Git LFS pointer": (lambda p: p.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), "LFS"),
    "13 gzip": (lambda p: p.write_bytes(gzip.compress(WEIGHTS.read_bytes())), "gzip"),
    "13 prototxt": (lambda p: p.write_text(MATCHING), "this is a net"),
    "13 a folder": (lambda p: p.mkdir(), "folder|directory"),
    "14 shape and data differ": (
        lambda p: p.write_bytes(_net_with(shape=BlobShape(dim=[8, 6]), data=[0.0] * 7)), r"ip1.*(48|8 x 6).*7"),
    "14 dims overflow": (lambda p: p.write_bytes(_net_with(shape=BlobShape(dim=[2**40, 2**40]), data=[0.0])), "ip1"),
    "14 negative dim": (lambda p: p.write_bytes(_net_with(shape=BlobShape(dim=[-8, 6]), data=[0.0])), "ip1.*-8"),
    "15 of another shape": (
        lambda p: p.write_bytes(_net_with(shape=BlobShape(dim=[2, 3]), data=[0.0] * 6)), r'"ip1", blob 0.*2 x 3.*8 x 6'),
    "15 of another net": (
        lambda p: p.write_bytes(WEIGHTS.read_bytes().replace(b"ip1", b"ipA").replace(b"ip2", b"ipB")), "none of its layers"),
    "18 external storage": (lambda p: _h5(p, _external_storage), "/data/ip1/0.*refused"),
    "18 external link": (lambda p: _h5(p, _external_link), "/data/ip1 is a link"),
    "18 linked twice": (lambda p: _h5(p, _linked_twice), "linked more than once"),
    "18 a group in itself": (lambda p: _h5(p, _in_itself), "linked more than once"),
    "18 virtual dataset": (lambda p: _h5(p, _virtual), "/data/ip1/0.*refused"),
    "18 wrong type": (lambda p: _h5(p, lambda f: f.create_dataset("data/ip1/0", data=["a"])), "/data/ip1/0 holds"),
    "18 shape bomb": (lambda p: _h5(p, lambda f: f.create_dataset("data/ip1/0", (1 << 20, 1 << 12), "f4")), "declares"),
    "18 no weights": (lambda p: _h5(p, lambda f: f.create_dataset("x", data=[1.0])), "a file of records"),
}  # fmt: skip


@pytest.mark.parametrize("case", WEIGHT_FILES, ids=str)
def test_weights(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, brew_run: Run) -> None:
    monkeypatch.chdir(tmp_path)
    build, message = WEIGHT_FILES[case]
    build(tmp_path / "w.bin")
    (tmp_path / "net.prototxt").write_text(MATCHING)
    _check(brew_run("test", "--model", "net.prototxt", "--weights", "w.bin", "--iterations", "1"), 3, message)


def test_13_a_state_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, brew_run: Run) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.solverstate").write_bytes(b"\xff" * 100)
    _check(brew_run(*_train(tmp_path), "--snapshot", "x.solverstate"), 3, "x.solverstate")


# --- data: 19 to 21, 23 ---------------------------------------------------------------------------------------------

DATA_NET = """name: "n"
layer { name: "d" type: "Data" top: "data" top: "label"
  transform_param { %s } data_param { source: "db" backend: LMDB batch_size: 2 } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 3 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""


def _datum(pixels: bytes = bytes(27), label: int = 0, **fields: object) -> bytes:
    given = {"channels": 3, "height": 3, "width": 3, **fields}
    return Datum(data=pixels, label=label, **given).SerializeToString()  # type: ignore[arg-type]


def _lmdb(*records: bytes) -> Callable[[Path], object]:
    return lambda p: write_lmdb(p, [(b"%08d" % i, r) for i, r in enumerate(records)])


def _truncated(path: Path) -> None:
    _lmdb(*[_datum(bytes(3 * 99 * 99), height=99, width=99)] * 9)(path)
    whole = (path / "data.mdb").read_bytes()
    (path / "data.mdb").write_bytes(whole[: len(whole) // 2])


def _overwritten(path: Path) -> None:
    _lmdb(*[_datum()] * 9)(path)
    file = path / "data.mdb"
    whole = bytearray(file.read_bytes())
    whole[8192:] = b"\xa5" * (len(whole) - 8192)
    file.write_bytes(whole)


GOOD = _lmdb(*[_datum()] * 4)
DATABASES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "19 truncated": ("", _truncated, "db.*truncated|shorter|bytes"),
    "20 overwritten pages": ("", _overwritten, "db"),
    "20 nothing there": ("", lambda p: None, r'"d" .*there is no db.*net.prototxt:3'),
    "20 no data.mdb": ("", lambda p: p.mkdir(), "db"),
    "20 no records": ("", _lmdb(), "db.*(empty|no records)"),
    "20 not an LMDB": ("", lambda p: (p.mkdir(), (p / "data.mdb").write_bytes(b"x" * 9000)), "db"),
    "21 too few pixels": ("", _lmdb(_datum(), _datum(bytes(5))), "00000001"),
    "21 no pixels": ("", _lmdb(_datum(b"")), "00000000"),
    "21 a bad image": ("", _lmdb(_datum(b"\xff\xd8\xff nonsense", encoded=True)), "00000000"),
    "21 not a Datum": ("", _lmdb(b"\xff" * 40), "00000000"),
    "21 other size": ("", _lmdb(_datum(), _datum(bytes(48), height=4, width=4)), "00000001"),
    "21 label too large": ("", _lmdb(*[_datum(label=3)] * 4), r'"loss".*3'),
    "21 label negative": ("", _lmdb(*[_datum(label=-1)] * 4), r'"loss".*-1'),
    "23 mean of another shape": ("mean_file: 'mean'", GOOD, r"3 x 3 x 3|10 x 9"),
    "23 mean that is none": ("mean_file: 'net.prototxt'", GOOD, "net.prototxt"),
    "23 mean_value count": ("mean_value: 1 mean_value: 2", GOOD, r"2.*3|3.*2"),
    "23 both means": ("mean_file: 'mean' mean_value: 1", GOOD, "mean_file.*mean_value|mean_value.*mean_file"),
    "23 crop larger than image": ("crop_size: 5", GOOD, r"5.*3"),
}


@pytest.mark.parametrize("case", DATABASES, ids=str)
def test_databases(case: str, tmp_path: Path) -> None:
    """In a process of their own: a damaged LMDB must not kill ours, nor its own."""
    transform, build, message = DATABASES[case]
    _train(tmp_path, DATA_NET % transform)
    build(tmp_path / "db")
    shutil.copy(DATA / "conformance" / "data" / "mean.binaryproto", tmp_path / "mean")
    done = subprocess.run(
        [sys.executable, "-m", "brew", "train", "--solver", "solver.prototxt"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, env=_environment(),
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr and "internal error" not in done.stderr
    assert re.search(message, done.stderr.partition("error[")[2], re.S), done.stderr

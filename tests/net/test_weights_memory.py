"""Weights of hundreds of megabytes: no second copy in memory, and as fast as copying the file."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

import brew
from brew import prototxt
from brew.files.weights import reading
from brew.net import weights
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter

LINUX = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peaks of memory are read from /proc")


def square_net(side: int) -> Net:
    """One InnerProduct of `side` by `side`, and a small one."""
    text = f"""layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ dim: 1 dim: {side} }} }} }}
      layer {{ name: "ip" type: "InnerProduct" bottom: "x" top: "y"
        inner_product_param {{ num_output: {side} weight_filler {{ type: "constant" value: 0.5 }} }} }}
      layer {{ name: "last" type: "InnerProduct" bottom: "y" top: "z" inner_product_param {{ num_output: 2 }} }}"""
    return Net(prototxt.parse(text, NetParameter, "n.prototxt"), brew.TEST)


def measure(folder: Path, side: int, ending: str, rounds: int) -> None:
    """Print what building the net took beyond its parameters, what writing and reading
    added, as shares of the file, and the speed of both to that of dd, which copies the file and waits for the disk.

    The fastest of some rounds, in turn.
    """
    square_net(5)  # all that is imported on the way
    unbuilt = status("VmRSS")
    net, file = square_net(side), folder / f"w.{ending}"
    building = status("VmHWM") - unbuilt
    times: dict[str, list[float]] = {}
    added: dict[str, float] = {}

    def timed(what: str, run: object) -> None:
        os.sync()
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark begins anew
        before = status("VmRSS")
        start = time.perf_counter()
        run()  # type: ignore[operator]
        times.setdefault(what, []).append(time.perf_counter() - start)
        added[what] = max(added.get(what, 0), status("VmHWM") - before)

    copying = ["dd", f"if={file}", f"of={folder / 'copy'}", "bs=1M", "conv=fsync"]
    for _ in range(rounds):
        timed("write", lambda: net.save(file))
        timed("dd", lambda: subprocess.run(copying, check=True, stderr=subprocess.DEVNULL))
        timed("read", lambda: net.copy_from(file))
    size = file.stat().st_size
    fastest = {what: min(seconds) for what, seconds in times.items()}
    shares = [building / size - 1, added["write"] / size, added["read"] / size]
    print(*shares, fastest["dd"] / fastest["write"], fastest["dd"] / fastest["read"])


def status(key: str) -> int:
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith(key))
    return int(line.split()[1]) * 1024


def measured(folder: Path, side: int, ending: str, rounds: int) -> list[float]:
    """What `measure` prints, measured in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, str(folder), str(side), ending, str(rounds)],
        capture_output=True, text=True, timeout=250, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [float(number) for number in done.stdout.split()]


@LINUX
@pytest.mark.parametrize("ending", ["caffemodel", "h5", "safetensors"])
def test_64_mb_need_no_second_copy(tmp_path: Path, ending: str) -> None:
    *memory, _, _ = measured(tmp_path, 4000, ending, 1)
    assert max(memory) < 0.3, memory


@LINUX
@pytest.mark.slow
def test_500_mb_at_half_the_speed_of_dd(tmp_path: Path) -> None:
    *memory, write_speed, read_speed = measured(tmp_path, 11_200, "caffemodel", 5)
    assert max(memory) < 0.3, memory
    assert min(write_speed, read_speed) >= 0.5


@pytest.mark.parametrize("ending", ["caffemodel", "h5", "safetensors"])
def test_the_digest_is_the_files(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"w.{ending}"
    net = square_net(500)
    digest = weights.write(net.parameters, file, file.suffix, net.name, net.phase, digest=True)
    assert digest == hashlib.sha256(file.read_bytes()).hexdigest()
    assert weights.write(net.parameters, file, file.suffix, net.name, net.phase) == ""


@pytest.mark.parametrize("options", [{"chunks": (2, 5)}, {"compression": "gzip"}, {"dtype": ">f4"}, {"dtype": ">f8"}])
def test_hdf5_however_it_is_laid_out(tmp_path: Path, options: dict[str, object]) -> None:
    expected = np.arange(25, dtype=np.float32).reshape(5, 5)
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.create_dataset("data/ip/0", data=expected, **options)
        file.create_dataset("data/ip/1", (5,), "f4")  # never written: HDF5 stores nothing, and reads zeros
    net = square_net(5)
    net.copy_from(tmp_path / "w.h5")
    np.testing.assert_array_equal(net.params["ip"][0].data, expected)
    assert not net.params["ip"][1].data.any()


def test_hdf5_of_nested_names(tmp_path: Path) -> None:
    """As Caffe nests them: a layer's group may hold another's, and layers without blobs are empty groups."""
    with h5py.File(tmp_path / "w.h5", "w") as file:
        for number, name in enumerate(("inception_3a/1x1", "inception_3a", "inception_3a/5x5_reduce/x")):
            for index in range(11):
                file[f"data/{name}/{index}"] = np.full(3, 100 * number + index, np.float32)
        file.create_group("data/relu_3a/1x1")
    found = {layer.name: layer for layer in reading.read(tmp_path / "w.h5")}
    assert set(found) == {"inception_3a/1x1", "inception_3a", "inception_3a/5x5_reduce/x"}
    assert [blob.data[0] for blob in found["inception_3a"].blobs] == list(range(100, 111))


if __name__ == "__main__":
    measure(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))

"""What a file given by mistake is, told from its contents; and what the readers of others make of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import brew
from brew import prototxt
from brew.checks import files
from brew.checks.states import Options
from brew.data.databases.opening import open_database
from brew.errors import DataError, InputError, PrototxtError, WeightsError
from brew.files.weights import caffemodel, reading
from brew.files.weights.recognising import recognise
from brew.proto.brew_pb2 import BlobProto, NetParameter, SolverParameter
from brew.solver.snapshots.snapshot import read_state

NET = """name: "n"
layer { name: "x" type: "DummyData" top: "x" dummy_data_param { shape { dim: 2 dim: 3 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param { num_output: 2 } }
layer { name: "loss" type: "Reduction" bottom: "ip" top: "loss" loss_weight: 1 }
"""
SOLVER = 'net: "net" base_lr: 0.1 lr_policy: "fixed" max_iter: 1 momentum: 0.9 snapshot_prefix: "s"'
LOG = "I1121 01:02:03.123456   123 solver.cpp:218] Iteration 0, loss = 2.3\n"
GIVEN = {
    "net": "a net",
    "solver": "a solver",
    "net with an error": "a net",
    "latin": "a net",
    "s_iter_1.caffemodel": "a weights file",
    "s_iter_1.solverstate": "a solver state",
    "s_iter_1.caffemodel.h5": "a weights file",
    "s_iter_1.solverstate.h5": "a solver state",
    "weights.safetensors": "a weights file",
    "old weights": "a weights file",
    "mean": "a mean, or another blob by itself",
    "mean of today": "a mean, or another blob by itself",
    "records.h5": "a file of records in HDF5",
    "lmdb": "an LMDB",
    "lmdb/data.mdb": "the file of an LMDB",
    "leveldb": "a LevelDB",
    "folder": "a folder",
    "list": "a list of images",
    "list of h5": "a list of HDF5 files",
    "log": "a log",
    "script": "a script",
    "labels": "a label map of SSD's",
    "utf16": "a text file in UTF-16",
    "utf16 without its mark": "a text file in UTF-16",
    "utf32": "a text file in UTF-32",
    "pointer": "a Git LFS pointer",
    "page": "an HTML page",
    "words": "a text file",
    "zeros": None,
    "binary solver": None,
    "none": None,
}


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one of each of GIVEN."""
    import h5py
    import lmdb

    folder = tmp_path_factory.mktemp("given")
    (folder / "net").write_text(NET)
    for form in ("BINARYPROTO", "HDF5"):
        text = SOLVER.replace('"net"', f'"{folder / "net"}"').replace('"s"', f'"{folder / "s"}"')
        (folder / "solver").write_text(f"{text} snapshot_format: {form}")
        with_solver = brew.get_solver(folder / "solver", device="cpu")
        with_solver.solve()
        with_solver.close()
    brew.Net(folder / "net", brew.TEST).save(folder / "weights.safetensors")
    old = prototxt.parse(
        'layers { name: "ip" type: INNER_PRODUCT blobs { data: 1 num: 1 channels: 1 height: 1 width: 1 } }',
        NetParameter,
    ).message
    mean, today = BlobProto(num=1, channels=1, height=1, width=2, data=[1, 2]), BlobProto(data=[1, 2])
    today.shape.dim.append(2)
    binary = prototxt.parse(SOLVER + ' test_iter: 1 test_interval: 4 test_net: "x" net: ""'.replace(' net: ""', ""),
                            SolverParameter).message  # fmt: skip
    for name, message in (("old weights", old), ("mean", mean), ("mean of today", today), ("binary solver", binary)):
        (folder / name).write_bytes(message.SerializeToString())
    with h5py.File(folder / "records.h5", "w") as file:
        file["data"] = np.zeros((2, 3))
    with lmdb.open(str(folder / "lmdb"), map_size=1 << 20) as environment, environment.begin(write=True) as writing:
        writing.put(b"0", b"a record")
    (folder / "folder").mkdir()
    (folder / "leveldb").mkdir()
    (folder / "leveldb" / "CURRENT").write_text("MANIFEST-000001\n")
    for name, text in {
        "net with an error": NET + "layer { nam: 1 }", "list": "a b.png 0\nc.png 1\n", "list of h5": "records.h5\n",
        "log": "Log file created at: 2017\n" + LOG, "script": "import caffe\n", "words": "What is this?\n",
        "labels": 'item { name: "cat" label: 1 }', "pointer": "version https://git-lfs.github.com/spec/v1\noid 0\n",
        "page": "<!DOCTYPE html><html>",
    }.items():  # fmt: skip
        (folder / name).write_text(text)
    for name, encoding in (("utf16", "utf-16"), ("utf16 without its mark", "utf-16-le"), ("utf32", "utf-32")):
        (folder / name).write_bytes(NET.encode(encoding))
    (folder / "latin").write_bytes("# é\n".encode("latin-1") + NET.encode())
    (folder / "zeros").write_bytes(b"\0" * 600)
    return folder


@pytest.mark.parametrize("name", GIVEN)
def test_each_is_recognised(name: str, given: Path) -> None:
    known = recognise(given / name)
    assert (known.noun if known else None) == GIVEN[name]


Reader = Callable[[Path], object]
READERS: dict[str, tuple[Reader, type[InputError], str, frozenset[str]]] = {
    "a net": (lambda path: prototxt.read(path, NetParameter), PrototxtError, "prototxt", frozenset({"a net"})),
    "a solver": (lambda path: prototxt.read(path, SolverParameter), PrototxtError, "prototxt", frozenset({"a solver"})),
    "weights": (reading.read, WeightsError, "weights", frozenset({"a weights file"})),
    "a state": (read_state, WeightsError, "a solver state", frozenset({"a solver state"})),
    "a mean": (caffemodel.read_blob, WeightsError, "a mean file", frozenset({GIVEN["mean"]})),
    "a database": (lambda path: open_database(path).close(), DataError, "LMDB or LevelDB", frozenset({"an LMDB"})),
}
SPOKEN_OF = ["a text file", None, "a net", "a solver", "a folder", "a LevelDB"]  # by words of the reader's own


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", [name for name, noun in GIVEN.items() if noun not in SPOKEN_OF])
def test_readers_say_what_it_is_and_what_they_wanted(reader: str, name: str, given: Path) -> None:
    read, kind, wanted, own = READERS[reader]
    if GIVEN[name] in own:
        read(given / name)
        return
    with pytest.raises(InputError) as caught:
        read(given / name)
    noun = "a folder" if name == "lmdb" and kind is WeightsError else GIVEN[name]
    assert f"{noun}" in caught.value.message and wanted in caught.value.message
    if noun != "a folder":
        known = recognise(given / name)
        assert known is not None and caught.value.hint == known.use


@pytest.mark.parametrize("name", ["net", "solver"])
def test_a_net_and_a_solver_in_each_others_place(name: str, given: Path) -> None:
    other = {"net": SolverParameter, "solver": NetParameter}[name]
    with pytest.raises(PrototxtError, match=f"this looks like a {name} file; a"):
        prototxt.read(given / name, other)
    for read in (reading.read, read_state, caffemodel.read_blob):
        with pytest.raises(WeightsError, match=f"this is a {name}; the file has"):
            read(given / name)


def test_a_file_of_the_right_kind_that_is_damaged_is_called_so(given: Path, tmp_path: Path) -> None:
    whole = (given / "s_iter_1.caffemodel").read_bytes()
    damaged = whole.replace(b"\x3a", b"\x3b", 3)
    for number, raw in enumerate((whole[:-7], damaged)):
        path = tmp_path / f"{number}.caffemodel"
        path.write_bytes(raw)
        with pytest.raises(WeightsError, match="damaged, truncated or of another kind"):
            reading.read(path)


@pytest.mark.parametrize("name", [n for n, noun in GIVEN.items() if noun and noun not in ("a net", "a solver")])
def test_check_has_one_error_for_what_it_does_not_check(name: str, given: Path) -> None:
    found = files.check(str(given / name), Options())
    if GIVEN[name] == "a weights file":
        assert found == [] or {f.severity for f in found} == {"warning"}
    elif GIVEN[name] != "a text file":
        assert [f.message for f in found] == [f"this is {GIVEN[name]}; a net, a solver or weights can be checked"]

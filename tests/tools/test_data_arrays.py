"""`brew data import` of arrays: idx, CIFAR, NumPy and HDF5, on small files that the tests make."""

from __future__ import annotations

import gzip
import os
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from brew.data.databases.opening import open_database
from brew.data.labels import label_names
from brew.proto.brew_pb2 import Datum

Run = Callable[..., Any]
Array = np.ndarray


def records(folder: Path) -> dict[str, Datum]:
    database = open_database(folder)
    try:
        return {key.decode()[9:]: Datum.FromString(value) for key, value in database.scan(0)}
    finally:
        database.close()


def imported(brew_run: Run, source: Path, out: Path, *options: str) -> str:
    outcome = brew_run("data", "import", str(source), str(out), *options)
    assert outcome.code == 0, outcome.err
    return str(outcome.out)


def refused(brew_run: Run, source: Path, out: Path, *options: str) -> str:
    outcome = brew_run("data", "import", str(source), str(out), *options)
    assert outcome.code in (2, 3), outcome.out
    assert "Traceback" not in outcome.err and not out.exists()
    return str(outcome.err)


def arrays(folder: Path) -> tuple[Array, list[int]]:
    """All records in the order of the source's rows, and their labels."""
    found = sorted(records(folder).items())
    rows = []
    for _, datum in found:
        values = np.frombuffer(datum.data, np.uint8) if datum.data else np.array(datum.float_data, np.float32)
        rows.append(values.reshape(datum.channels, datum.height, datum.width))
    return np.stack(rows), [datum.label for _, datum in found]


def pixels(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def idx(array: Array, code: int = 8) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape) + array.tobytes()


def test_idx_of_a_name_that_only_holds_the_letters_of_a_part(brew_run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "mnist"
    folder.mkdir()
    for name, count in (("latest", 4), ("Testing", 3)):
        images, labels = pixels(count, count, 5, 4), np.arange(count, dtype=np.uint8)
        (folder / f"{name}-images-idx3-ubyte").write_bytes(idx(images))
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(idx(labels))
    imported(brew_run, folder, tmp_path / "out")
    assert arrays(tmp_path / "out/train_lmdb")[1] == [0, 1, 2, 3]
    assert arrays(tmp_path / "out/test_lmdb")[1] == [0, 1, 2]


@pytest.mark.parametrize("packed", [False, True])
def test_idx(brew_run: Run, tmp_path: Path, packed: bool) -> None:
    folder, end = tmp_path / "mnist", ".gz" if packed else ""
    folder.mkdir()
    made = {}
    for seed, (name, part, count) in enumerate((("train", "train", 6), ("t10k", "test", 3))):
        images, labels = pixels(seed, count, 5, 4), np.arange(count, dtype=np.uint8) % 3
        made[part] = images, labels
        for kind, array in (("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels)):
            content = idx(array)
            (folder / f"{name}-{kind}{end}").write_bytes(gzip.compress(content, mtime=0) if packed else content)
    imported(brew_run, folder, tmp_path / "out")
    for part, (images, labels) in made.items():
        found, found_labels = arrays(tmp_path / f"out/{part}_lmdb")
        assert (found[:, 0] == images).all() and found_labels == labels.tolist()
    imported(brew_run, folder / f"t10k-images-idx3-ubyte{end}", tmp_path / "one")
    assert (arrays(tmp_path / "one/test_lmdb")[0][:, 0] == made["test"][0]).all()


IMAGES = idx(pixels(0, 4, 5, 4))


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (IMAGES[:-1], None, "has 95 bytes; by its beginning 96 are expected"),
        (gzip.compress(IMAGES[:-1], mtime=0), None, "unpacks to 95 bytes; by its beginning 96 are expected"),
        (gzip.compress(IMAGES + b"x", mtime=0), None, "unpacks to more bytes; by its beginning 96 are expected"),
        (gzip.compress(IMAGES, mtime=0)[:-9], None, "cannot be unpacked"),
        (IMAGES[:7], None, "ends within the lengths of its 3 axes"),
        (
            gzip.compress(struct.pack(">HBB3I", 0, 8, 3, 1 << 31, 1 << 15, 1 << 15), mtime=0),
            None,
            "which gzip cannot do",
        ),
        (struct.pack(">HBB3I", 0, 8, 3, 1 << 31, 0, 0), None, "there is nothing in it"),
        (IMAGES, idx(np.zeros(3, np.uint8)), "has 4 records and 3 labels"),
        (IMAGES, b"nothing", "there are no labels"),
    ],
)
def test_idx_files_that_do_not_hold_what_they_say(
    brew_run: Run, tmp_path: Path, images: bytes, labels: bytes | None, message: str
) -> None:
    folder = tmp_path / "mnist"
    folder.mkdir()
    (folder / "train-images-idx3-ubyte").write_bytes(images)
    if labels is not None:
        (folder / "train-labels-idx1-ubyte").write_bytes(labels)
    if "no labels" in message:
        assert message in imported(brew_run, folder, tmp_path / "out")
    else:
        assert message in refused(brew_run, folder, tmp_path / "out")


def cifar(folder: Path, *, binary: bool = False, hundred: bool = False) -> dict[str, Array]:
    """Batches of three pictures as their authors write them (pickles as Python 2 did: texts are bytes)."""
    folder.mkdir(parents=True)
    names = ("train", "test") if hundred else ("data_batch_1", "data_batch_2", "test_batch")
    made = {}
    for seed, name in enumerate(names):
        data, fine, coarse = pixels(seed, 3, 3072), [2, 0, 1], [1, 0, 1]
        made[name] = data.reshape(3, 3, 32, 32)[:, ::-1]
        columns = [coarse, fine] if hundred else [fine]
        if binary:
            rows = np.concatenate([np.array(columns, np.uint8).T, data], axis=1)
            (folder / f"{name}.bin").write_bytes(rows.tobytes())
            continue
        labels = {b"fine_labels": fine, b"coarse_labels": coarse} if hundred else {b"labels": fine}
        (folder / name).write_bytes(pickle.dumps({b"batch_label": b"x", b"data": data, **labels}, protocol=2))
    classes = [b"apple", b"bee", b"cup"]
    if binary:
        text = b"\n".join([*classes, b""])
        (folder / ("fine_label_names.txt" if hundred else "batches.meta.txt")).write_bytes(text)
    else:
        key = b"fine_label_names" if hundred else b"label_names"
        (folder / ("meta" if hundred else "batches.meta")).write_bytes(pickle.dumps({key: classes}, protocol=2))
    return made


@pytest.mark.parametrize("hundred", [False, True])
@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_cifar(brew_run: Run, tmp_path: Path, hundred: bool, binary: bool, packed: bool) -> None:
    made = cifar(tmp_path / "cifar", binary=binary, hundred=hundred)
    source = tmp_path / "cifar"
    if packed:
        source = tmp_path / "cifar.tar.gz"
        with tarfile.open(source, "w:gz") as archive:
            archive.add(tmp_path / "cifar", "cifar-batches")
    imported(brew_run, source, tmp_path / "out")
    for part in ("train", "test"):
        found, labels = arrays(tmp_path / f"out/{part}_lmdb")
        expected = np.concatenate(
            [array for name, array in made.items() if name.startswith("test") == (part == "test")]
        )
        assert (found == expected).all() and labels == [2, 0, 1] * (len(expected) // 3)
    assert label_names(tmp_path / "out") == ("apple", "bee", "cup")


def test_coarse_labels_of_cifar_100(brew_run: Run, tmp_path: Path) -> None:
    cifar(tmp_path / "cifar", hundred=True)
    imported(brew_run, tmp_path / "cifar", tmp_path / "coarse", "--set", "label=coarse")
    assert arrays(tmp_path / "coarse/train_lmdb")[1] == [1, 0, 1]
    imported(brew_run, tmp_path / "cifar", tmp_path / "both", "--set", "label=both")
    targets = [list(d.float_data) for _, d in sorted(records(tmp_path / "both/train_targets_lmdb").items())]
    assert targets == [[2, 1], [0, 0], [1, 1]]
    cifar(tmp_path / "ten" / "cifar")
    assert "has no coarse classes" in refused(brew_run, tmp_path / "ten/cifar", tmp_path / "x", "--set", "label=coarse")


class Evil:
    """Touches a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.path}",)


def nested(depth: int) -> list[Any]:
    made: list[Any] = []
    for _ in range(depth):
        made = [made]
    return made


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({b"data": Evil("RAN"), b"labels": []}, "it asks for posix.system, which is not run"),
        ({b"data": np.array([None, 1], object), b"labels": []}, "it holds an array"),
        ({b"data": np.zeros((3, 10), np.uint8), b"labels": [1, 2, 3]}, '"data" is expected to be bytes of N x 3072'),
        ({b"data": np.zeros((3, 3072)), b"labels": [1, 2, 3]}, '"data" is expected to be bytes of N x 3072'),
        ({b"data": np.zeros((3, 3072), np.uint8), b"labels": [1, 2]}, "a list of 3 small whole numbers"),
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": [-1]}, "a list of 1 small whole numbers"),
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": [7]}, "has labels from 7 to 7; there are 3 names"),
        ([1, 2], "holds no mapping"),
        (nested(50), "it is nested too deep"),
        ({b"data": {1, 2}}, "is no pickle of arrays that can be read"),
    ],
)
def test_a_pickle_that_is_none_of_cifars(brew_run: Run, tmp_path: Path, content: Any, message: str) -> None:
    cifar(tmp_path / "cifar")
    mark = tmp_path / "ran"
    if isinstance(content, dict) and isinstance(content.get(b"data"), Evil):
        content = {b"data": Evil(str(mark)), b"labels": []}
    (tmp_path / "cifar/data_batch_1").write_bytes(pickle.dumps(content, protocol=2))
    assert message in refused(brew_run, tmp_path / "cifar", tmp_path / "out")
    assert not mark.exists()


@pytest.mark.parametrize("end", [b"", b"\x8e" + struct.pack("<Q", 1 << 60), b"(" * 1000, b"garbage"])
def test_pickles_that_are_cut(brew_run: Run, tmp_path: Path, end: bytes) -> None:
    cifar(tmp_path / "cifar")
    whole = (tmp_path / "cifar/data_batch_1").read_bytes()
    (tmp_path / "cifar/data_batch_1").write_bytes(whole[:200] + end)
    assert "is no pickle of arrays that can be read" in refused(brew_run, tmp_path / "cifar", tmp_path / "out")
    cifar(tmp_path / "b" / "cifar", binary=True)
    (tmp_path / "b/cifar/test_batch.bin").write_bytes(bytes(3074))
    assert "has 3074 bytes; records of 3073 are expected" in refused(brew_run, tmp_path / "b/cifar", tmp_path / "out")


@pytest.mark.parametrize("way", ["npz", "packed", "folder", "fortran"])
def test_numpy(brew_run: Run, tmp_path: Path, way: str) -> None:
    images, labels = pixels(1, 6, 5, 4, 3), np.array([2, 0, 1, 2, 0, 1])
    more, more_labels = pixels(2, 2, 5, 4, 3), np.array([1, 1])
    content = {"x_train": images, "y_train": labels, "x_test": more, "y_test": more_labels, "mean": np.zeros(3)}
    if way == "fortran":
        content["x_train"] = np.asfortranarray(images)
    source = tmp_path / "set.npz"
    if way in ("folder", "fortran"):
        source = tmp_path / "set"
        source.mkdir()
        for name, array in content.items():
            np.save(source / f"{name}.npy", array)
    else:
        (np.savez_compressed if way == "packed" else np.savez)(source, **content)
    said = imported(brew_run, source, tmp_path / "out")
    found, found_labels = arrays(tmp_path / "out/train_lmdb")
    assert (found == images.transpose(0, 3, 1, 2)[:, ::-1]).all() and found_labels == labels.tolist()
    assert (arrays(tmp_path / "out/test_lmdb")[0] == more.transpose(0, 3, 1, 2)[:, ::-1]).all()
    assert "RGB stored as BGR" in said and "arrays left out: mean" in said
    imported(brew_run, source, tmp_path / "bgr", "--set", "colors=bgr")
    assert (arrays(tmp_path / "bgr/train_lmdb")[0] == images.transpose(0, 3, 1, 2)).all()


@pytest.mark.parametrize("seed", range(12))
def test_arrays_of_any_kind_read_back_equal(brew_run: Run, tmp_path: Path, seed: int) -> None:
    """A property over types, shapes and kinds of labels; values that are no bytes come back as float32."""
    random = np.random.default_rng(seed)
    dtype = random.choice(["u1", "i2", ">f4", "f8", ">i4", "?", "f2"])
    shape = (int(random.integers(1, 6)), *(int(n) for n in random.integers(1, 6, int(random.integers(0, 4)))))
    data = random.integers(0, 200, shape).astype(dtype)
    kind = random.choice(["classes", "texts", "targets", "one-hot"])
    classes = random.integers(0, 3, shape[0])
    targets = random.random((shape[0], 2)).astype(np.float32)
    labels = {"classes": classes, "texts": np.array(["c", "a", "b"])[classes], "targets": targets,
              "one-hot": np.eye(3)[classes]}[kind]  # fmt: skip
    np.savez(tmp_path / "set.npz", data=data, labels=labels)
    as_hdf5 = ("--format", "hdf5") if data.ndim > 4 else ()
    imported(brew_run, tmp_path / "set.npz", tmp_path / "out", "--no-shuffle", *as_hdf5)
    expected = data[:, None] if data.dtype == np.uint8 and data.ndim == 3 else data
    if data.dtype == np.uint8 and data.ndim == 4 and data.shape[3] in (1, 3, 4):
        expected = data.transpose(0, 3, 1, 2)
    if expected.dtype == np.uint8 and expected.ndim == 4 and expected.shape[1] in (3, 4):
        expected = expected[:, [2, 1, 0, 3][: expected.shape[1]]]
    found, found_labels = arrays(tmp_path / "out/train_lmdb")
    assert (found.reshape(expected.shape) == expected).all()
    if kind == "targets":
        rows = [list(d.float_data) for _, d in sorted(records(tmp_path / "out/train_targets_lmdb").items())]
        assert rows == targets.tolist()
    elif kind == "texts":
        names = label_names(tmp_path / "out")
        assert [names[label] for label in found_labels] == labels.tolist()
    else:
        assert found_labels == classes.tolist()


def test_arrays_without_names_and_with_other_names(brew_run: Run, tmp_path: Path) -> None:
    np.savez(tmp_path / "unnamed.npz", pixels(0, 3, 4, 4), np.array([0, 1, 2]))
    imported(brew_run, tmp_path / "unnamed.npz", tmp_path / "out")
    assert arrays(tmp_path / "out/train_lmdb")[1] == [0, 1, 2]
    np.savez(tmp_path / "odd.npz", alpha=pixels(0, 3, 4, 4), beta=np.array([2, 1, 0]))
    error = refused(brew_run, tmp_path / "odd.npz", tmp_path / "odd")
    assert "it has alpha, beta" in error and "--set data=NAME" in error
    imported(brew_run, tmp_path / "odd.npz", tmp_path / "odd", "--set", "data=alpha", "--set", "labels=beta")
    assert arrays(tmp_path / "odd/train_lmdb")[1] == [2, 1, 0]


def test_labels_named_alone(brew_run: Run, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=pixels(0, 3, 4, 4), beta=np.array([2, 1, 0]))
    assert "labels=beta says" in refused(brew_run, tmp_path / "x.npz", tmp_path / "out", "--set", "labels=beta")
    np.save(tmp_path / "x.npy", pixels(0, 3, 4, 4))
    np.save(tmp_path / "beta.npy", np.array([2, 1, 0]))
    imported(brew_run, tmp_path / "x.npy", tmp_path / "out", "--set", "labels=beta")
    assert arrays(tmp_path / "out/train_lmdb")[1] == [2, 1, 0]


def test_a_pipe_is_no_source(brew_run: Run, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "is of no kind that can be imported" in refused(brew_run, tmp_path / "pipe", tmp_path / "out")


def header(text: str, more: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + more


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (header("{'descr': '|O', 'fortran_order': False, 'shape': (3,)}\n", b"cposix\nsystem\n."), "is an array of object, which is not read"),
        (header("{'descr': '|u1', 'fortran_order': False, 'shape': (3, 4, 4)}\n", bytes(47)), "has 47 bytes of numbers; by its header 48"),
        (header("{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999, 4, 4)}\n"), "by its header 1599999999984 are expected"),
        (header("{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999, 0)}\n"), "there is nothing in it"),
        (header("{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 4)}\n"), "one axis or more are expected"),
        (header("{'descr': '|u1', 'fortran_order': False, 'shape': ()}\n", b"x"), "one axis or more are expected"),
        (header("__import__('os').system('touch ran')\n"), "is no array of NumPy's"),
        (header("{'descr': '<M8[s]', 'fortran_order': False, 'shape': (1,)}\n", bytes(8)), "which is not read; numbers are expected"),
        (header("{'descr': '|u1', 'fortran_order': False, 'shape': (3, }\n"), "is no array of NumPy's"),
        (b"not numpy", "is no array of NumPy's"),
    ],
)  # fmt: skip
def test_npy_files_that_are_refused(brew_run: Run, tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    assert message in refused(brew_run, tmp_path / "x.npy", tmp_path / "out")
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", content)
    assert (
        message.split(" of numbers")[0][-20:]
        in refused(brew_run, tmp_path / "x.npz", tmp_path / "out").replace(
            f"has {len(content)} bytes; by", "has 47 bytes; by"
        )
        or "are expected" in message
    )


def test_npz_bombs_and_labels_that_are_none(brew_run: Run, tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "bomb.npz", data=np.zeros((64, 1024, 1024), np.uint8))
    assert "it is taken for a bomb" in refused(brew_run, tmp_path / "bomb.npz", tmp_path / "out")
    data = pixels(0, 3, 4, 4)
    for labels, message in (
        (np.array([0, 1]), "has 3 records and 2 labels"),
        (np.array([0.5, np.nan, 1]), "has a value in row 1 that is no finite number"),
        (np.array([0, 1, 1 << 40]), "holds numbers beyond 32 bits"),
        (np.array([1 << 21, 1, 2], np.uint32).view("<U1"), "holds texts of no characters that there are"),
        (np.array([0, 1, 2j]), "which is not read; numbers are expected"),
    ):
        np.savez(tmp_path / "set.npz", data=data, labels=labels)
        assert message in refused(brew_run, tmp_path / "set.npz", tmp_path / "out")
    with (tmp_path / "set.npz").open("r+b") as file:
        file.truncate(100)
    assert "set.npz" in refused(brew_run, tmp_path / "set.npz", tmp_path / "out", "--kind", "numpy")


@pytest.mark.parametrize("chunks", [None, (2, 3, 5, 4)])
def test_hdf5(brew_run: Run, tmp_path: Path, chunks: Any) -> None:
    """As Caffe has it: the channels stand first, in the order of nets."""
    data, labels = pixels(3, 7, 3, 5, 4), np.array([0, 1, 2, 0, 1, 2, 0], np.float32)
    with h5py.File(tmp_path / "set.h5", "w") as file:
        file.create_dataset("data", data=data, chunks=chunks, compression="gzip" if chunks else None)
        file["label"] = labels[:, None]
        file["other"] = np.zeros(2)
    said = imported(brew_run, tmp_path / "set.h5", tmp_path / "out")
    found, found_labels = arrays(tmp_path / "out/train_lmdb")
    assert (found == data).all() and found_labels == labels.tolist()
    assert "datasets left out: other" in said
    imported(brew_run, tmp_path / "set.h5", tmp_path / "again", "--format", "hdf5", "--no-shuffle")
    with h5py.File(tmp_path / "again/train.h5") as file:
        assert (file["data"][...] == data).all() and file["data"].dtype == np.uint8


def test_hdf5_groups_and_files_are_parts(brew_run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    for name, seed in (("train", 0), ("val", 1)):
        with h5py.File(folder / f"{name}.h5", "w") as file:
            file["images"], file["labels"] = pixels(seed, 2, 4, 4), [seed, seed]
    imported(brew_run, folder, tmp_path / "out")
    assert arrays(tmp_path / "out/val_lmdb")[1] == [1, 1]
    with h5py.File(tmp_path / "one.h5", "w") as file:
        for name, seed in (("train", 0), ("test", 1)):
            file[f"{name}/x"], file[f"{name}/y"] = pixels(seed, 2, 4, 4), [seed, seed]
    imported(brew_run, tmp_path / "one.h5", tmp_path / "groups")
    assert arrays(tmp_path / "groups/test_lmdb")[1] == [1, 1]


def test_hdf5_that_leads_elsewhere_is_refused(brew_run: Run, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["data"], file["label"] = pixels(0, 2, 4, 4), [0, 1]
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["data"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/data")
        file["label"] = [0, 1]
    options = "--set", "data=data", "--set", "labels=label"
    assert "is an external link" in refused(
        brew_run, tmp_path / "link.h5", tmp_path / "out", "--kind", "hdf5", *options
    )
    raw = tmp_path / "raw"
    raw.write_bytes(bytes(64))
    with h5py.File(tmp_path / "stored.h5", "w") as file:
        file.create_dataset("data", (4, 4, 4), "u1", external=[(str(raw), 0, 64)])
    assert "stored in other files" in refused(brew_run, tmp_path / "stored.h5", tmp_path / "out")
    with h5py.File(tmp_path / "huge.h5", "w") as file:
        file.create_dataset("data", (1 << 40, 32, 32), "u1", chunks=(1, 32, 32))
    assert "cannot hold" in refused(brew_run, tmp_path / "huge.h5", tmp_path / "out")
    content = (tmp_path / "secret.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(content[: len(content) // 2])
    assert "cut.h5 cannot be opened as HDF5" in refused(
        brew_run, tmp_path / "cut.h5", tmp_path / "out", "--kind", "hdf5"
    )

"""NaN or infinity in the data: the record that has it is named, and not the rate."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from brew import prototxt
from brew.data.databases.lmdb_writer import write_lmdb
from brew.errors import DivergedError
from brew.proto.brew_pb2 import Datum, SolverParameter
from brew.solver.solver import Solver

SOLVER = (
    'net: "net.prototxt" base_lr: 1e-6 lr_policy: "fixed" max_iter: 9 display: 1 random_seed: 1 snapshot_prefix: "s"'
)
REST = """
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 1 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "label" top: "loss" }
"""
RECORDS, BATCH, BAD = 12, 4, 6


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def trained(layer: str, solver: str = SOLVER, keep: list[str] | None = None) -> Solver:
    Path("net.prototxt").write_text(f'layer {{ name: "d" top: "data" top: "label" {layer} }}{REST}')
    return Solver(prototxt.parse(solver, SolverParameter), keep=keep)


def said(layer: str, keep: list[str] | None = None) -> DivergedError:
    solver = trained(layer, keep=keep)
    with pytest.raises(DivergedError) as caught:
        solver.step(9)
    solver.net.close()
    return caught.value


def values(value: float) -> np.ndarray:
    x = np.zeros((RECORDS, 1, 2, 2), np.float32)
    x[BAD, 0, 1, 0] = value
    return x


@pytest.mark.parametrize("keep", [None, []])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_record_of_floats(value, keep):
    datums = [Datum(channels=1, height=2, width=2, float_data=x.reshape(-1), label=0) for x in values(value)]
    write_lmdb(Path("db"), ((b"%04d" % i, datum.SerializeToString()) for i, datum in enumerate(datums)))
    error = said('type: "Data" data_param { source: "db" batch_size: 4 }', keep)
    where = f"\"data\": record '0006' of db has {value}"
    assert f'layer "d" (Data) brings the first blob that is not finite, {where}' in error.message
    assert "iteration 1" in error.message
    assert error.hint is not None and "brew data check" in error.hint and "base_lr" not in error.hint


@pytest.mark.parametrize("shuffle", ["true", "false"])
@pytest.mark.parametrize("top", ["data", "label"])
def test_a_row_of_hdf5(top, shuffle):
    x, y = values(np.nan if top == "data" else 0), np.zeros(RECORDS)
    y[BAD] = np.nan if top == "label" else 0
    for number, rows in enumerate((slice(0, 5), slice(5, 12))):
        with h5py.File(f"{number}.h5", "w") as h5:
            h5["data"], h5["label"] = x[rows], y[rows]
    Path("list.txt").write_text("0.h5\n1.h5\n")
    error = said(f'type: "HDF5Data" hdf5_data_param {{ source: "list.txt" batch_size: 4 shuffle: {shuffle} }}')
    assert f'"{top}": row 1 of 1.h5 has nan' in error.message


def test_items_from_memory():
    solver = trained('type: "MemoryData" memory_data_param { batch_size: 4 channels: 1 height: 2 width: 2 }')
    solver.net.set_input_arrays(values(np.nan), np.zeros(RECORDS))
    with pytest.raises(DivergedError, match=r'"data": item 6 has nan'):
        solver.step(9)


@pytest.mark.parametrize("kind", ["ImageData", "WindowData"])
def test_images_that_a_scale_makes_infinite(kind):
    for number in range(RECORDS):
        Image.fromarray(np.full((2, 2, 3), 200 * (number == BAD), np.uint8)).save(f"{number}.png")
    transform = "transform_param { scale: 3e38 crop_size: 2 }"
    if kind == "ImageData":
        Path("list.txt").write_text("".join(f"{n}.png 0\n" for n in range(RECORDS)))
        error = said(f'type: "ImageData" image_data_param {{ source: "list.txt" batch_size: 4 }} {transform}')
        assert '"data": image 6.png (list.txt:7) has inf' in error.message
    else:
        Path("list.txt").write_text("".join(f"# {n}\n{n}.png\n3\n2\n2\n1\n1 1 0 0 1 1\n" for n in range(RECORDS)))
        source = 'window_data_param { source: "list.txt" batch_size: 12 fg_fraction: 1 }'
        error = said(f'type: "WindowData" {source} {transform}')
        assert f'"data": the window at list.txt:{7 * BAD + 7} has inf' in error.message


def test_a_skipped_update_names_the_record_too(caplog):
    datums = [Datum(channels=1, height=2, width=2, float_data=x.reshape(-1), label=0) for x in values(np.nan)]
    write_lmdb(Path("db"), ((b"%04d" % i, datum.SerializeToString()) for i, datum in enumerate(datums)))
    solver = trained('type: "Data" data_param { source: "db" batch_size: 4 }', f"{SOLVER} on_nan: SKIP")
    solver.step(9)
    solver.net.close()
    told = [record.getMessage() for record in caplog.records if "is skipped" in record.getMessage()]
    assert len(told) == 3 and all("record '0006' of db has nan" in line for line in told)


def test_several_bad_records_are_counted():
    x = values(np.nan)
    x[7] = np.inf
    datums = [Datum(channels=1, height=2, width=2, float_data=each.reshape(-1), label=0) for each in x]
    write_lmdb(Path("db"), ((b"%04d" % i, datum.SerializeToString()) for i, datum in enumerate(datums)))
    error = said('type: "Data" data_param { source: "db" batch_size: 4 }')
    assert "record '0006' of db has nan (2 records of the batch are bad)" in error.message


def test_what_is_not_the_datas_fault_is_the_rates(caplog):
    datums = [Datum(channels=1, height=2, width=2, float_data=x.reshape(-1) + 1, label=3) for x in values(0)]
    write_lmdb(Path("db"), ((b"%04d" % i, datum.SerializeToString()) for i, datum in enumerate(datums)))
    solver = trained('type: "Data" data_param { source: "db" batch_size: 4 }', SOLVER.replace("1e-6", "1e30"))
    with pytest.raises(DivergedError) as caught:
        solver.step(9)
    solver.net.close()
    assert caught.value.hint is not None and "base_lr too high" in caught.value.hint
    assert "last rate 1e+30" in caught.value.hint

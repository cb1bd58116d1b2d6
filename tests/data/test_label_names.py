from __future__ import annotations

from pathlib import Path

import pytest

from brew.data.labels import as_text, label_names, names_of_layers
from brew.errors import DataError
from brew.proto.brew_pb2 import LayerParameter


def test_names_stand_beside_a_database_and_beside_a_list(tmp_path: Path) -> None:
    folder = tmp_path / "train_lmdb"
    folder.mkdir()
    (tmp_path / "list.txt").write_text("train.h5\n")
    assert label_names(folder) == label_names(tmp_path / "list.txt") == ()
    (tmp_path / "labels.txt").write_text("cat\nbig dog\n")
    assert label_names(folder) == ()
    assert label_names(tmp_path / "list.txt") == label_names(tmp_path) == ("cat", "big dog")
    layers = [LayerParameter(), LayerParameter(hdf5_data_param={"source": str(tmp_path / "list.txt")})]
    assert names_of_layers(layers) == ("cat", "big dog")
    (tmp_path / "labels.txt").write_text("\n")
    with pytest.raises(DataError, match=r"labels\.txt: there is no label in it"):
        label_names(tmp_path)


def test_a_name_takes_one_line_that_is_read_back(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text(as_text(["a\nb", " c  d ", "", "é"]), "utf-8")
    assert label_names(tmp_path) == ("a b", "c d", "?", "é")

"""What `brew.load` takes: folders, nets, weights that hold their net, solver states, names of the zoo."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from predictor_nets import deploy, picture, png, train_val

import brew
from brew.data.labels import read_labels
from brew.errors import BrewError, DataError, NetError, UsageError, WeightsError
from brew.proto.brew_pb2 import Datum


@pytest.fixture
def training(tmp_path: Path, make_lmdb: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder after a training of two iterations with a snapshot at each."""
    datums = [Datum(encoded=True, data=png(picture(i)), label=i % 4) for i in range(4)]
    folder = tmp_path / "training"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "train_val.prototxt").write_text(train_val(make_lmdb(datums), "scale: 0.01 mean_value: 120"))
    (folder / "solver.prototxt").write_text(
        'net: "train_val.prototxt" base_lr: 0.01 lr_policy: "fixed" max_iter: 2 snapshot: 1 snapshot_prefix: "s" random_seed: 1'
    )
    brew.get_solver("solver.prototxt", device="cpu").solve()
    return folder


def test_every_way_to_name_a_model_gives_the_same(training: Path) -> None:
    x = picture(7)
    weights = training / "s_iter_2.caffemodel"
    expected = brew.load(training / "train_val.prototxt", weights).predict(x).scores
    assert 0.2 < expected.max() < 1
    for source in (".", "train_val.prototxt", "solver.prototxt", "s_iter_2.caffemodel", "s_iter_2.solverstate"):
        np.testing.assert_array_equal(brew.load(training / source).predict(x).scores, expected)
    before = brew.load(training / "s_iter_1.solverstate").predict(x).scores
    assert (before != expected).any()


def test_a_net_for_use_takes_the_data_of_the_net_for_training_beside_it(training: Path) -> None:
    (training / "other_train.prototxt").write_text(train_val("x", "scale: 3").replace('"small"', '"other"'))
    expected = brew.load(training / "s_iter_2.caffemodel").predict(picture(7)).scores
    (training / "deploy.prototxt").write_text(deploy())
    for source in (training, training / "deploy.prototxt"):
        np.testing.assert_array_equal(brew.load(source).predict(picture(7)).scores, expected)


@pytest.mark.parametrize("ending", [".h5", ".safetensors", ".caffemodel"])
def test_weights_of_every_format(ending: str, folder: Path) -> None:
    expected = brew.load(folder)
    path = folder / "sub" / f"x{ending}"
    path.parent.mkdir()
    expected.net.save(path)
    found = brew.load(folder / "deploy.prototxt", path).predict(picture(0)).scores
    np.testing.assert_array_equal(found, expected.predict(picture(0)).scores)


def test_random_weights_are_those_of_the_fillers(training: Path) -> None:
    model = brew.load(training / "train_val.prototxt", "random")
    weights = model.net.params["ip"][0].data
    assert 0.1 < weights.std() < 0.6
    again = brew.load(training / "train_val.prototxt", "random").net.params["ip"][0].data
    np.testing.assert_array_equal(weights, again)


def test_the_readme_names_the_weights(folder: Path) -> None:
    brew.load(folder).net.save(folder / "other.caffemodel")
    with pytest.raises(UsageError, match=r"other\.caffemodel, small\.caffemodel"):
        brew.load(folder)
    (folder / "readme.md").write_text("---\ncaffemodel: other.caffemodel\n---\n")
    assert brew.load(folder).labels == ("ant", "bee", "cat", "dog")


def test_errors_say_what_there_is(folder: Path) -> None:
    def said(source: str | Path, error: type[BrewError] = UsageError, **options: object) -> str:
        with pytest.raises(error) as caught:
            brew.load(source, **options)  # type: ignore[arg-type]
        return str(caught.value)

    assert "caffenet, cifar10_full" in said("nothing like it")
    assert 'did you mean "lenet"?' in said("lenett")
    assert 'did you mean "deploy.prototxt"?' in said(folder / "deplo.prototxt")
    assert "ONNX files cannot be read yet" in said("x.onnx")
    (folder / "x.onnx").write_bytes(b"\x08\x07")
    assert "ONNX files cannot be read yet" in said(folder / "x.onnx")
    assert "makes no model of it" in said(folder / "labels.txt")
    brew.load(folder).net.save(folder / "x.h5")
    assert 'brew.load("deploy.prototxt", weights="x.h5")' in said(folder / "x.h5", WeightsError)
    assert "goes with a net" in said(folder / "small.caffemodel", weights="x.h5")
    (folder / "empty").mkdir()
    assert "holds no net" in said(folder / "empty")
    assert "cannot be read: File name too long" in said("x" * 5000, DataError)
    assert "'~no_such_user/net'" in said("~no_such_user/net")
    (folder / "empty" / "deploy.prototxt").write_text(deploy())
    assert 'weights="random"' in said(folder / "empty", NetError)
    for name in "ab":
        (folder / "empty" / f"{name}.prototxt").write_text(deploy())
    (folder / "empty" / "deploy.prototxt").unlink()
    assert "several nets (a.prototxt, b.prototxt)" in said(folder / "empty")


def test_a_net_whose_data_is_not_there_needs_its_shape(tmp_path: Path) -> None:
    path = tmp_path / "train_val.prototxt"
    path.write_text(train_val())
    with pytest.raises(BrewError, match=r"shapes=\{"):
        brew.load(path, "random")
    assert brew.load(path, "random", shapes={"data": (1, 3, 20, 20)}).inputs == {"data": (3, 20, 20)}
    (tmp_path / "readme.md").write_text("---\ninput: [3, 14, 15]\n---\n")
    assert brew.load(path, "random").inputs == {"data": (3, 14, 15)}


def test_shapes_of_a_net_for_use(folder: Path) -> None:
    assert brew.load(folder, shapes={"data": (1, 3, 20, 24)}).inputs == {"data": (3, 20, 24)}
    with pytest.raises(UsageError, match="no input dat"):
        brew.load(folder, shapes={"dat": (1, 3, 20, 24)})


def test_labels_of_synsets_lose_their_ids(tmp_path: Path) -> None:
    path = tmp_path / "synset_words.txt"
    path.write_text("n01440764 tench, Tinca tinca\nn01443537 goldfish\n\n")
    assert read_labels(path) == ("tench, Tinca tinca", "goldfish")
    path.write_text("n01440764 tench\ngoldfish")
    assert read_labels(path) == ("n01440764 tench", "goldfish")
    path.write_text("\n")
    with pytest.raises(DataError, match="no label"):
        read_labels(path)


def test_the_number_of_labels_is_checked(folder: Path) -> None:
    with pytest.raises(UsageError, match="2 labels for the 4 values of prob"):
        brew.load(folder, labels=["a", "b"])


def test_several_nets_for_training_are_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    for i in range(2):
        (folder / f"train{i}.prototxt").write_text(train_val("x", "scale: 3"))
    (folder / "train_broken.prototxt").write_text('name: "x" layer { nam: "y" }')
    with caplog.at_level(logging.WARNING):
        brew.load(folder)
    said = " ".join(record.getMessage() for record in caplog.records)
    assert "train0.prototxt and" in said
    assert "train_broken.prototxt is not read" in said


def test_a_net_of_the_zoo_by_name() -> None:
    model = brew.load("lenet", "random")
    assert model.inputs == {"data": (1, 28, 28)}
    assert model.metadata.scale == 0.00390625
    assert len(model.predict(picture(0, 28, 28, 1)).top) == 5


def test_a_snapshot_whose_net_has_splits_becomes_a_net_for_use(
    tmp_path: Path, make_lmdb: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Caffe writes them: the copies for loss and accuracy stand in the file."""
    datums = [Datum(encoded=True, data=png(picture(i)), label=i % 4) for i in range(4)]
    monkeypatch.chdir(tmp_path)
    text = train_val(make_lmdb(datums), "scale: 0.01").replace(" include { phase: TEST }", "")
    Path("train_val.prototxt").write_text(text)
    brew.Net("train_val.prototxt", brew.TRAIN, seed=1).save("x.caffemodel")
    model = brew.load("x.caffemodel")
    assert model.outputs == {"prob": (4,)}
    expected = brew.load("train_val.prototxt").predict(picture(0)).scores
    np.testing.assert_array_equal(model.predict(picture(0)).scores, expected)

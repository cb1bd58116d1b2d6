"""Model: batches, iterators, blobs, gradients, nets that are no classifiers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from predictor_nets import BODY, deploy, picture

import brew
from brew.errors import NetError, UsageError


def test_a_classifier_tells_its_best_classes(folder: Path) -> None:
    found = brew.load(folder).predict(picture(0), top=3)
    assert [c.score for c in found.top] == sorted(found.scores.tolist(), reverse=True)[:3]
    assert found.index == int(found.scores.argmax())
    assert found.label == ("ant", "bee", "cat", "dog")[found.index]
    assert found.score == found.scores.max()
    assert found.scores.sum() == pytest.approx(1, abs=1e-5)


def test_without_labels_classes_have_their_numbers(folder: Path) -> None:
    (folder / "labels.txt").unlink()
    found = brew.load(folder).predict(picture(0))
    assert [c.label for c in found.top] == [str(c.index) for c in found.top]


def test_results_do_not_depend_on_the_batch(folder: Path, files: Callable[..., list[Path]]) -> None:
    model, paths = brew.load(folder), files(7)
    alone = np.stack([model.predict(path).scores for path in paths])
    for batch in (1, 3, 7, 50):
        found = model.predict(paths, batch=batch)
        np.testing.assert_allclose(found.scores, alone, rtol=0, atol=1e-6)
        assert [p.name for p in found] == [str(p) for p in paths]


def test_results_are_the_callers_own(folder: Path) -> None:
    model = brew.load(folder)
    first = model.predict(picture(0)).scores
    before = first.copy()
    model.predict(picture(1))
    np.testing.assert_array_equal(first, before)


def test_an_iterator_is_read_no_further_than_a_batch(folder: Path) -> None:
    model = brew.load(folder)
    taken: list[int] = []

    def pictures() -> Iterator[np.ndarray]:
        for i in range(100):
            taken.append(i)
            yield picture(i)

    found = model.predict(pictures(), batch=4)
    assert taken == []
    first = next(found)
    assert len(taken) == 4
    np.testing.assert_allclose(first.scores, model.predict(picture(0)).scores, atol=1e-6)
    assert len(list(found)) == 99


def test_an_error_in_an_iterator_comes_through_and_the_model_goes_on(folder: Path) -> None:
    model = brew.load(folder)

    def pictures() -> Iterator[np.ndarray]:
        yield picture(0)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        list(model.predict(pictures()))
    with pytest.raises(UsageError, match="batch is 0"):
        model.predict([], batch=0)
    assert len(model.predict([picture(0)])) == 1
    assert len(model.predict([])) == 0


def test_blobs_of_the_middle(folder: Path) -> None:
    model = brew.load(folder)
    x = [picture(i) for i in range(3)]
    assert model.features("conv", x).shape == (3, 6, 10, 10)
    assert model.features("conv", x[0]).shape == (6, 10, 10)
    found = model.activations(x, ["pool", "ip"])
    whole = brew.Net(str(folder / "deploy.prototxt"), brew.TEST, weights=str(folder / "small.caffemodel"))
    whole.blobs["data"].reshape(3, 3, 12, 12)
    whole.forward(data=model.features("data", x))
    for name in ("pool", "ip"):
        np.testing.assert_allclose(found[name], whole.blobs[name].data, rtol=1e-6, atol=1e-6)
    lazily = model.features("ip", iter(x))
    np.testing.assert_allclose(next(lazily), found["ip"][0], atol=1e-6)
    with pytest.raises(UsageError, match='did you mean "conv"'):
        model.features("convv", x)
    with pytest.raises(UsageError, match="list of names"):
        model.activations(x, "conv")


def test_nothing_gives_nothing(folder: Path) -> None:
    model = brew.load(folder)
    assert model.features("conv", []).shape == (0, 6, 10, 10)
    assert model.gradient([]).shape == (0, 3, 12, 12)
    assert list(model.predict(iter([]))) == []
    assert model.predict([]).labels == []
    assert len(model.predict(np.zeros((0, 3, 12, 12), np.float32))) == 0


def test_pictures_of_several_sizes_have_no_common_features(folder: Path) -> None:
    model = brew.load(folder, size="keep")
    pictures = [picture(0), picture(1, 20, 20)]
    with pytest.raises(UsageError, match='"conv" has another shape'):
        model.features("conv", pictures)
    assert [f.shape for f in model.features("conv", iter(pictures))] == [(6, 10, 10), (6, 18, 18)]


def test_a_prediction_keeps_no_other(folder: Path) -> None:
    found = brew.load(folder).predict([picture(i) for i in range(3)])
    assert all(p.scores.base is None for p in found)


def test_a_gradient_is_the_slope_of_the_score(folder: Path) -> None:
    """Against differences of the score, in a net of doubles' place: float32, hence the tolerance."""
    model = brew.load(folder)
    x = model.features("data", [picture(0), picture(1)]).astype(np.float64)
    found = model.gradient(x, "cat", output="ip")
    assert found.shape == x.shape
    direction, step = np.sign(found), 0.05  # where the score changes most: float32 has few digits
    up, down = (model.features("ip", x + sign * step * direction)[:, 2].astype(np.float64) for sign in (1, -1))
    np.testing.assert_allclose((found * direction).sum((1, 2, 3)), (up - down) / (2 * step), rtol=0.02)


def test_gradients_of_the_best_score_and_of_blobs_in_the_middle(folder: Path) -> None:
    model = brew.load(folder)
    x = picture(0)
    best = model.predict(x).index
    np.testing.assert_array_equal(model.gradient(x), model.gradient(x, best))
    assert np.abs(model.gradient(x)).max() > 0
    weights = model.net.params["ip"][0].data
    np.testing.assert_allclose(model.gradient(x, 1, output="ip", to="pool").reshape(-1), weights[1], rtol=1e-5)
    ones = model.gradient(x, 2, output="conv", to="conv")
    assert ones[2].min() == 1
    assert ones[[0, 1, 3]].max() == 0
    with pytest.raises(UsageError, match='"ip" has 4 values for an item'):
        model.gradient(x, 4, output="ip")
    with pytest.raises(UsageError, match="labels are 'cow'"):
        model.gradient(x, "cow")


def test_gradients_leave_the_weights_alone(folder: Path) -> None:
    model = brew.load(folder)
    before = model.predict(picture(0)).scores
    for _ in range(3):
        model.gradient(picture(0))
    np.testing.assert_array_equal(model.predict(picture(0)).scores, before)


def test_a_net_that_is_no_classifier_gives_arrays(folder: Path) -> None:
    (folder / "deploy.prototxt").write_text(deploy(end=""))
    (folder / "labels.txt").unlink()
    found = brew.load(folder).predict(picture(0))
    assert found.top == ()
    assert found.outputs["ip"].shape == (4,)
    np.testing.assert_array_equal(np.asarray(found), found.outputs["ip"])
    with pytest.raises(UsageError, match=r"no classifier: its outputs are ip \(4\)"):
        _ = found.label


def test_several_outputs(folder: Path) -> None:
    also = 'layer { name: "ip2" type: "InnerProduct" bottom: "pool" top: "ip2" inner_product_param { num_output: 2 } }'
    (folder / "deploy.prototxt").write_text(deploy() + also)
    (folder / "labels.txt").unlink()
    found = brew.load(folder).predict([picture(0)])[0]
    assert {name: array.shape for name, array in found.outputs.items()} == {"ip2": (2,), "prob": (4,)}
    with pytest.raises(UsageError, match="2 outputs"):
        _ = found.scores


def test_outputs_that_do_not_go_by_items_come_one_by_one(folder: Path) -> None:
    total = 'layer { name: "sum" type: "Reduction" bottom: "pool" top: "sum" reduction_param { axis: 0 } }'
    (folder / "deploy.prototxt").write_text(deploy(end=total))
    (folder / "labels.txt").unlink()
    model = brew.load(folder)
    found = model.predict([picture(0), picture(1)])
    alone = [model.predict(picture(i)).outputs["sum"] for i in range(2)]
    np.testing.assert_allclose([p.outputs["sum"] for p in found], alone, rtol=1e-5)
    assert alone[0] != alone[1]


def test_a_size_that_the_net_does_not_take_is_an_error_and_it_goes_on(tmp_path: Path) -> None:
    body = BODY.replace(
        "pooling_param { pool: AVE global_pooling: true }", "pooling_param { kernel_size: 2 stride: 2 }"
    )
    (tmp_path / "deploy.prototxt").write_text(deploy(body=body))
    model = brew.load(tmp_path, "random", mean=0, scale=1, channel_order="BGR", size="keep")
    before = model.predict(picture(0)).scores
    for _ in range(2):
        with pytest.raises(NetError):
            model.predict(picture(0, 30, 30))
        np.testing.assert_array_equal(model.predict(picture(0)).scores, before)


def test_a_closed_model_says_so(folder: Path) -> None:
    with brew.load(folder) as model:
        model.predict(picture(0))
    for _ in range(2):
        model.close()
    with pytest.raises(UsageError, match="the model is closed"):
        model.predict(picture(0))
    with pytest.raises(UsageError, match="the model is closed"):
        _ = model.net
    assert "small" in repr(model)


def test_devices_and_the_number_of_nets_are_checked(folder: Path) -> None:
    with pytest.raises(UsageError, match="nets is 0"):
        brew.load(folder, nets=0)
    for name in ("gpu", "cpu:0", "cuda:x"):
        with pytest.raises(UsageError, match="is expected"):
            brew.load(folder, device=name)


def test_on_every_device(device: str, folder: Path) -> None:
    model = brew.load(folder, device=device)
    expected = brew.load(folder, device="cpu").predict([picture(i) for i in range(3)]).scores
    found = model.predict([picture(i) for i in range(3)], batch=2).scores
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert model.features("pool", picture(0)).shape == (6, 1, 1)
    assert model.gradient(picture(0), 1).shape == (3, 12, 12)


def test_notebooks_see_tables(folder: Path) -> None:
    model = brew.load(folder)
    found = model._repr_html_()
    assert "<td>conv</td><td>Convolution</td><td>data</td><td>conv 1x6x10x10</td><td>168</td>" in found
    assert "<tr><td>ip</td>" in found
    assert model.net._repr_html_() in found
    table = model.predict([picture(0)])._repr_html_()
    assert table.count("<td>") == 9

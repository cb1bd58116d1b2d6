"""Models whose data an import made of sounds, rows and texts: asked with these things, they give what TEST gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sounds import tone, wav

import brew
from brew.datasets.importing import import_data
from brew.datasets.settings import ImportSettings
from brew.datasets.sources.kinds import open_source
from brew.errors import BrewError, DataError, UsageError

SCORE = """
layer { name: "score" type: "InnerProduct" bottom: "BOTTOM" top: "score"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" }
"""


def imported(folder: Path, source: Path, kind: str, **options: str) -> None:
    pile = open_source(source, kind, options)
    import_data(pile, folder / "set", ImportSettings(shuffle=False), None, options)


def data(folder: Path, top: str = "data", name: str = "train_lmdb", extra: str = "") -> str:
    label = ' top: "label"' if top == "data" else ""
    return f"""layer {{ name: "{top}" type: "Data" top: "{top}"{label}
      data_param {{ source: "{folder / "set" / name}" batch_size: 2 }} {extra} }}"""


def loaded(folder: Path, net: str) -> tuple[brew.predictor.model.Model, np.ndarray]:  # type: ignore[name-defined]
    """The model, and the scores of the first two records as the net for training gives them in TEST."""
    (folder / "train_val.prototxt").write_text(f'name: "things"\n{net}')
    trained = brew.Net(str(folder / "train_val.prototxt"), brew.TEST, seed=3)
    trained.save(folder / "things.caffemodel")
    trained.forward()
    return brew.load(folder), np.array(trained.blobs["score"].data)


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    for name, frequency in (("a/1.wav", 400), ("b/2.wav", 900)):
        (tmp_path / "pile" / name).parent.mkdir(parents=True)
        (tmp_path / "pile" / name).write_bytes(wav(tone(frequency, 0.3)))
    imported(tmp_path, tmp_path / "pile", "sound", length="0.4")
    return tmp_path


def test_sounds_by_path_bytes_and_samples(sounds: Path) -> None:
    model, expected = loaded(sounds, data(sounds) + SCORE.replace("BOTTOM", "data"))
    paths = [sounds / "pile" / name for name in ("a/1.wav", "b/2.wav")]
    found = model.predict(paths)
    np.testing.assert_array_equal(model.features("score", paths), expected)
    assert found[0].label in ("a", "b") and model.labels == ("a", "b")
    np.testing.assert_allclose(model.predict(str(paths[0])).scores, found[0].scores, rtol=1e-4)
    with paths[1].open("rb") as file:
        np.testing.assert_allclose(model.predict(file).scores, found[1].scores, rtol=1e-4)
    samples = tone(900, 0.3).astype(np.float32)
    np.testing.assert_allclose(model.predict(samples).scores, found[1].scores, atol=1e-3)
    prepared = np.zeros((2, 1, 38, 40), np.float32)
    assert len(model.predict(prepared)) == 2
    with pytest.raises(DataError, match=r"is no (file of sound|WAV)"):
        model.predict(b"no sound at all")


def test_the_transformation_of_the_data_layer_counts_as_well(sounds: Path) -> None:
    extra = "transform_param { mean_value: 0.5 scale: 2 crop_size: 16 }"
    model, expected = loaded(sounds, data(sounds, extra=extra) + SCORE.replace("BOTTOM", "data"))
    paths = [sounds / "pile" / name for name in ("a/1.wav", "b/2.wav")]
    np.testing.assert_array_equal(model.features("score", paths), expected)


def test_a_net_for_use_beside_the_model_yaml(sounds: Path) -> None:
    model, expected = loaded(sounds, data(sounds) + SCORE.replace("BOTTOM", "data"))
    model.close()
    elsewhere = sounds / "elsewhere"
    elsewhere.mkdir()
    deployed = 'name: "things" layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 1 dim: 38 dim: 40 } } }'
    score = SCORE.partition('layer { name: "loss"')[0].replace("BOTTOM", "x")
    (elsewhere / "deploy.prototxt").write_text(deployed + score)
    (sounds / "things.caffemodel").rename(elsewhere / "things.caffemodel")
    for name in ("model.yaml", "labels.txt"):
        (sounds / "set" / name).rename(elsewhere / name)
    used = brew.load(elsewhere)
    assert used.labels == ("a", "b")
    np.testing.assert_allclose(used.features("score", sounds / "pile" / "b" / "2.wav"), expected[1], rtol=1e-5)


def test_rows_with_two_inputs(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x,colour,label\n1,red,a\n5,blue,b\n3,red,a\n")
    imported(tmp_path, tmp_path / "t.csv", "table", code="ids")
    net = data(tmp_path) + data(tmp_path, "ids", "train_ids_lmdb") + """
      layer { name: "embed" type: "Embed" bottom: "ids" top: "embed"
        embed_param { num_output: 3 input_dim: 3 weight_filler { type: "uniform" } } }
      layer { name: "flat" type: "Flatten" bottom: "embed" top: "flat" }
      layer { name: "line" type: "Flatten" bottom: "data" top: "line" }
      layer { name: "all" type: "Concat" bottom: "line" bottom: "flat" top: "all" }""" + SCORE.replace("BOTTOM", "all")  # fmt: skip
    model, expected = loaded(tmp_path, net)
    rows = [{"x": 1, "colour": "red"}, {"x": "5", "colour": "blue"}]
    np.testing.assert_array_equal(model.features("score", rows), expected)
    with pytest.raises(UsageError, match="none of the columns"):
        model.predict({"y": 3})


def test_texts(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text,label\nthe good one,a\na bad one,b\n")
    imported(tmp_path, tmp_path / "t.csv", "text", length="4")
    model, expected = loaded(tmp_path, data(tmp_path) + SCORE.replace("BOTTOM", "data"))
    np.testing.assert_array_equal(model.features("score", ["the good one", "a bad one"]), expected)
    (tmp_path / "one.txt").write_text("a bad one")
    np.testing.assert_allclose(model.features("score", tmp_path / "one.txt"), expected[1], rtol=1e-5)


def test_a_net_of_another_shape_is_told(sounds: Path) -> None:
    deployed = (
        'name: "n" layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 1 dim: 9 dim: 9 } } }'
    )
    (sounds / "set" / "deploy.prototxt").write_text(
        deployed + SCORE.partition('layer { name: "loss"')[0].replace("BOTTOM", "x")
    )
    model = brew.load(sounds / "set", weights="random")
    with pytest.raises(UsageError, match='input "x" of n is 1 x 9 x 9; the preparation of its data makes 1 x 38 x 40'):
        model.predict(sounds / "pile" / "a" / "1.wav")


HOSTILE = {
    "no YAML": (": [", "it is no YAML"),
    "no mapping": ("- 1", "no names and values"),
    "an unknown kind": ("preparation: {kind: smell}", "kind is 'smell'; sound or table or series or text"),
    "what is missing": ("preparation: {kind: sound, rate: 8000}", "length is None; a whole number"),
    "numbers that are none": ("preparation: {kind: sound, rate: 8000, length: .inf}", "length is inf"),
    "code": ("preparation: !!python/object/apply:os.getcwd []", "it is no YAML"),
    "labels": ("labels: 3", "labels: a list of names"),
    "a table of nothing": (
        "preparation: {kind: table, numbers: [], names: [], code: ids, marks: false, comma: false}", "a column or more"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_a_model_yaml_that_is_none_is_told_with_its_place(sounds: Path, case: str) -> None:
    content, told = HOSTILE[case]
    (sounds / "set" / "model.yaml").write_text(content)
    (sounds / "net.prototxt").write_text(data(sounds) + SCORE.replace("BOTTOM", "data"))
    with pytest.raises(BrewError, match=told) as raised:
        brew.load(sounds / "net.prototxt", weights="random")
    assert "model.yaml" in str(raised.value)

"""Metadata: arguments before the readme before the net's own data layer; front matter that is wrong is said to be."""

from __future__ import annotations

from pathlib import Path

import pytest
from predictor_nets import train_val

import brew
from brew.errors import DataError, UsageError
from brew.graph.definition import define
from brew.predictor.metadata import Metadata, front_matter, merged, of_training


def readme(folder: Path, text: str) -> Path:
    path = folder / "readme.md"
    path.write_text(text)
    return path


def test_the_first_source_that_says_it_counts() -> None:
    found = merged([Metadata(scale=2.0), Metadata(scale=3.0, crop=5), Metadata(crop=6, mean=(1.0,))])
    assert (found.scale, found.crop, found.mean) == (2.0, 5, (1.0,))


def test_front_matter(tmp_path: Path) -> None:
    path = readme(
        tmp_path,
        "---\nname: X\nlicense: BSD\nmean: [1, 2.5, 3]\nscale: 0.017\nsize: 256\ncrop: 224\n"
        "channel_order: RGB\nlabels: words.txt\ninput: [3, 224, 224]\n---\nText with --- in it.\n",
    )
    found = front_matter(path)
    assert (found.mean, found.scale, found.size, found.crop) == ((1.0, 2.5, 3.0), 0.017, (256, 256), 224)
    assert (found.channel_order, found.labels, found.input) == ("RGB", tmp_path / "words.txt", (3, 224, 224))


def test_a_readme_without_front_matter_says_nothing(tmp_path: Path) -> None:
    found = front_matter(readme(tmp_path, "# X\n\nmean: 3\n"))
    assert (found.mean, found.scale, found.labels) == (None, None, None)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("---\nmean: [a, b]\n---\n", UsageError, "mean is"),
        ("---\nscale: yes\n---\n", UsageError, "scale is True"),
        ("---\nsize: [1, 2, 3]\n---\n", UsageError, "height and width"),
        ("---\nchannel_order: bgr\n---\n", UsageError, "BGR or RGB"),
        ("---\nchannel-order: BGR\n---\n", UsageError, 'did you mean "channel_order"?'),
        ("---\n- a\n---\n", DataError, "no list of names"),
        ("---\na: [\n---\n", DataError, "no YAML"),
    ],
)
def test_front_matter_that_is_wrong(text: str, error: type[Exception], message: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=message) as caught:
        front_matter(readme(tmp_path, text))
    assert "readme.md" in str(caught.value)


def test_a_net_for_training_says_all_but_the_size(tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_text(train_val("x", 'crop_size: 9 scale: 0.5 mean_file: "m.binaryproto" mirror: true'))
    (tmp_path / "m.binaryproto").touch()
    found = of_training(define(path))
    assert (found.size, found.crop, found.scale, found.channel_order) == (None, 9, 0.5, "BGR")
    assert found.mean == tmp_path / "m.binaryproto"


def test_a_net_for_training_may_say_the_size_by_its_resize_param(tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_text(train_val("x", "resize_param { height: 12 width: 14 }"))
    assert of_training(define(path)).size == (12, 14)
    path.write_text(train_val("x", "resize_param { height: 12 width: 14 resize_mode: FIT_SMALL_SIZE }"))
    assert of_training(define(path)).size is None


ZOO = Path(brew.__path__[-1]) / "model_zoo"


@pytest.mark.parametrize("folder", sorted(p.parent for p in ZOO.glob("*/readme.md")), ids=lambda p: p.name)
def test_the_zoo_says_how_pictures_are_prepared(folder: Path) -> None:
    """Both sources together leave nothing open, and what both say agrees."""
    said, trained = front_matter(folder / "readme.md"), of_training(define(folder / "train_val.prototxt"))
    assert said.input is not None
    assert said.channel_order is not None or said.input[0] == 1
    assert said.size is not None
    assert trained.mean is not None
    assert trained.scale is not None
    assert trained.crop in (0, said.input[1])

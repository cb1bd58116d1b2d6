from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from brew.data.transformer import Transformer
from brew.errors import BrewError, DataError, NetError
from brew.layer import TEST, TRAIN, Context
from brew.proto.brew_pb2 import BlobProto, TransformationParameter
from brew.prototxt import parse

random = np.random.default_rng(0)
X = random.integers(0, 256, (12, 3, 8, 7), np.uint8)
F = X.astype(np.float32)


def transformer(text: str, phase: int = TEST, seed: int = 1, folder: Path = Path()) -> Transformer:
    param = parse(text, TransformationParameter).message
    return Transformer(param, Context(phase=phase, seed=seed, folder=folder), "data", "Data")


def apply(t: Transformer, images, first=0):
    out = np.full((len(images), *t.output_shape(images[0].shape)), np.nan, np.float32)
    t(images, first, out)
    return out


@pytest.fixture
def mean(tmp_path):
    values = random.uniform(50, 150, (3, 8, 7)).astype(np.float32)
    blob = BlobProto(num=1, channels=3, height=8, width=7, data=values.reshape(-1))
    (tmp_path / "mean.binaryproto").write_bytes(blob.SerializeToString())
    return values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", F),
        ("scale: 0.5", F * 0.5),
        ("mean_value: 100", F - 100),
        ("mean_value: 1 mean_value: 2 mean_value: 3", F - np.float32([1, 2, 3]).reshape(3, 1, 1)),
        ("mean_value: 100 scale: 2", (F - 100) * 2),  # the mean goes first
        ("mean_value: 300 scale: 3e38", np.full_like(F, -np.inf)),  # too large for a float, and no word about it
        ("crop_size: 5", F[:, :, 1:6, 1:6]),  # the middle, floor((8 - 5) / 2)
        ("crop_size: 4 scale: 2", F[:, :, 2:6, 1:5] * 2),
    ],
)
@pytest.mark.parametrize("images", [X, list(X), list(F)], ids=["batch", "list", "floats"])
def test_without_chance(text, expected, images):
    assert np.array_equal(apply(transformer(text), images), expected)


def test_mean_file_is_taken_at_the_pixels_own_place(mean, tmp_path):
    whole = F - mean
    assert np.allclose(apply(transformer('mean_file: "mean.binaryproto"', folder=tmp_path), X), whole)
    cropped = transformer('mean_file: "mean.binaryproto" crop_size: 5 mirror: true', TRAIN, folder=tmp_path)
    plain = transformer("crop_size: 5 mirror: true", TRAIN)
    assert np.allclose(apply(cropped, X), apply(plain, list(whole)))


def windows(y, size):
    """Where the crop `y` of X[0..] lies, and whether it is mirrored; None where it is no window at all."""
    found = []
    for image, crop in zip(F, y, strict=True):
        places = [
            (r, c, m)
            for r in range(8 - size + 1)
            for c in range(7 - size + 1)
            for m in (False, True)
            if np.array_equal(image[:, r : r + size, c : c + size][..., :: -1 if m else 1], crop)
        ]
        found.append(places[0] if places else None)
    return found


def test_random_windows_cover_everything():
    t = transformer("crop_size: 5 mirror: true", TRAIN)
    found = [w for first in range(0, 600, 12) for w in windows(apply(t, X, first), 5)]
    assert None not in found
    assert len(set(found)) == 4 * 3 * 2
    share = np.mean([m for _, _, m in found])
    assert 0.4 < share < 0.6


def test_test_phase_mirrors_by_chance_and_crops_the_middle():
    found = windows(apply(transformer("crop_size: 5 mirror: true", TEST), X), 5)
    assert {w[:2] for w in found} == {(1, 1)}
    assert {w[2] for w in found} == {False, True}


def test_chance_hangs_on_seed_and_record_alone():
    t = transformer("crop_size: 5 mirror: true", TRAIN)
    whole = apply(t, X, 100)
    assert np.array_equal(apply(t, X[7:], 107), whole[7:])
    assert np.array_equal(np.concatenate([apply(t, X[i : i + 1], 100 + i) for i in range(12)]), whole)
    assert not np.array_equal(apply(transformer("crop_size: 5 mirror: true", TRAIN, seed=2), X, 100), whole)


def test_images_of_different_sizes_are_cropped_to_one():
    images = [X[0], X[1][:, :6, :5], X[2]]
    y = apply(transformer("crop_size: 4"), images)
    assert np.array_equal(y[1], F[1][:, 1:5, :4])


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("crop_size: 8", r"a crop of 8 x 8 does not fit into images of 8 x 7"),
        ("mean_value: 1 mean_value: 2", r"2 values of mean_value for images of 3 channels"),
        ('mean_value: 1 mean_file: "mean.binaryproto"', "cannot both be set"),
        ("force_color: true force_gray: true", "cannot both be set"),
    ],
)
def test_what_does_not_fit(text, what):
    with pytest.raises(NetError, match=what):
        transformer(text).output_shape((3, 8, 7))


def test_mean_file_of_another_shape(mean, tmp_path):
    t = transformer('mean_file: "mean.binaryproto"', folder=tmp_path)
    with pytest.raises(NetError, match=r"mean.binaryproto has the shape 3 x 8 x 7, the images .* have 3 x 7 x 8"):
        t.output_shape((3, 7, 8))


def test_missing_mean_file(tmp_path):
    with pytest.raises(BrewError, match="mean_file: there is no nowhere"):
        transformer('mean_file: "nowhere"', folder=tmp_path)


@pytest.mark.parametrize("text", ["", "crop_size: 5 mirror: true", "mean_value: 3 scale: 0.1 mirror: true"])
def test_a_slot_is_filled_as_in_its_batch(text):
    """Whatever order threads come in, and however far records are apart."""
    t = transformer(text, TRAIN)
    whole = apply(t, X, 250)
    for i in (11, 0, 7, 3):
        y = np.full_like(whole[0], np.nan)
        transformer(text, TRAIN).place(X[i], 250 + i, y[None], 0)
        assert np.array_equal(y, whole[i])
        t.place(np.asfortranarray(X[i]), 250 + i, y[None], 0)
        assert np.array_equal(y, whole[i])


def test_a_slot_of_another_size_is_refused():
    with pytest.raises(DataError, match="it is 3 x 8 x 7, the batch has images of 3 x 8 x 6"):
        transformer("").place(X[0], 0, np.empty((1, 3, 8, 6), np.float32), 0)

"""Colours against readings of each pixel by the formula; what is drawn, how often, and from where to where."""

from __future__ import annotations

import colorsys
import itertools

import numpy as np
import pytest

from brew.cpu.pixels import colours
from brew.cpu.pixels.colours import Mixed, Scaled, Turned
from brew.data.augment import distort, gaussian, jitter, rand_augment
from brew.data.augment.draws import PURPOSES, Draws
from brew.proto.brew_pb2 import ColorJitterParameter, DistortionParameter, GaussianNoiseParameter, RandAugmentParameter

random = np.random.default_rng(0)
IMAGE = random.integers(0, 256, (3, 12, 19), np.uint8)
IMAGE[:, :2] = IMAGE[:1, :2]  # greys


def clip(value: float) -> float:
    return min(max(value, 0.0), 255.0)


def scalar(stages: list, pixel: np.ndarray) -> list[float]:
    """A pixel (blue, green, red) after the stages."""
    b, g, r = (float(v) for v in pixel)
    for stage in stages:
        if isinstance(stage, Scaled):
            b, g, r = (clip(v * f + s) for v, f, s in zip((b, g, r), stage.factors, stage.summands, strict=True))
        elif isinstance(stage, Mixed):
            rows = [stage.weights[3 * i : 3 * i + 3] for i in range(3)]
            sums = [sum(w * v for w, v in zip(row, (b, g, r), strict=True)) for row in rows]
            b, g, r = (clip(v + s) for v, s in zip(sums, stage.summands, strict=True))
        else:
            h, s, v = colorsys.rgb_to_hsv(r / 255, g / 255, b / 255)
            r, g, b = (
                255 * c for c in colorsys.hsv_to_rgb((h + stage.sixths / 6) % 1, min(s * stage.saturation, 1), v)
            )
    return [b, g, r]


@pytest.mark.parametrize("native", [True, False], ids=["native", "numpy"])
@pytest.mark.parametrize(
    "stages",
    [
        [Scaled((1.0,) * 3, (31.5,) * 3)],
        [Scaled((0.6,) * 3, (0.0,) * 3)],
        [Turned(0.0, 1.5)],
        [Turned(5.6, 1.0)],
        [Turned(0.6, 0.5), Scaled((1.4,) * 3, (-20.0,) * 3)],
        [jitter.saturation(0.3), Turned(3.0, 1.0), jitter.contrast(1.3, IMAGE)],
        [jitter.saturation(0.0)],
    ],
)
def test_stages(stages, native, monkeypatch):
    if not native:
        monkeypatch.setattr(colours, "native", lambda: False)
    out = np.empty_like(IMAGE)
    colours.coloured(IMAGE, stages, out)
    for y, x in itertools.product(range(12), range(19)):
        assert np.abs(out[:, y, x] - scalar(stages, IMAGE[:, y, x])).max() < 0.501


def test_stages_that_change_nothing():
    out = np.empty_like(IMAGE)
    colours.coloured(
        IMAGE, [Scaled((1.0,) * 3, (0.0,) * 3), Turned(0.0), jitter.saturation(1.0), jitter.contrast(1.0, IMAGE)], out
    )
    assert np.array_equal(out, IMAGE)


def draws(purpose: str, records: int = 4000):
    for record in range(records):
        yield Draws(7, "data", record).of(purpose)


SSD = DistortionParameter(
    brightness_prob=0.5, brightness_delta=32, contrast_prob=0.5, contrast_lower=0.5, contrast_upper=1.5, hue_prob=0.5,
    hue_delta=18, saturation_prob=0.5, saturation_lower=0.5, saturation_upper=1.5, random_order_prob=0.25,
)  # fmt: skip


def test_distortion_is_drawn_as_ssd_says():
    found = [distort.drawn(SSD, draw) for draw in draws("distort")]
    stages = [stages for stages, _ in found]
    added = [s.summands[0] for each in stages for s in each if isinstance(s, Scaled) and s.factors[0] == 1]
    times = [s.factors[0] for each in stages for s in each if isinstance(s, Scaled) and s.factors[0] != 1]
    assert abs(len(added) / len(found) - 0.5) < 0.03 and abs(len(times) / len(found) - 0.5) < 0.03
    assert -32 <= min(added) < -31 and 31 < max(added) <= 32 and abs(np.mean(added)) < 1.5
    assert 0.5 <= min(times) < 0.51 and 1.49 < max(times) <= 1.5
    turns = [s for each in stages for s in each if isinstance(s, Turned)]
    assert abs(len(turns) / len(found) - 0.75) < 0.03  # hue or saturation or both
    hues = [(t.sixths + 3) % 6 - 3 for t in turns if t.sixths]
    assert -0.6 <= min(hues) < -0.58 and 0.58 < max(hues) <= 0.6  # 18 half degrees are 0.6 sixths
    assert abs(len([o for _, o in found if o != [0, 1, 2]]) / len(found) - 0.25 * 5 / 6) < 0.03
    both = [each for each in stages if any(isinstance(s, Turned) for s in each) and len(each) > 1
            and any(isinstance(s, Scaled) and s.factors[0] != 1 for s in each)]  # fmt: skip
    assert 0.45 < np.mean([isinstance(each[-1], Turned) for each in both]) < 0.55  # contrast before or behind


def test_no_distortion_at_probability_0_and_always_at_1():
    assert all(distort.drawn(DistortionParameter(), draw) == ([], [0, 1, 2]) for draw in draws("distort", 50))
    always = DistortionParameter(brightness_prob=1, brightness_delta=1)
    assert all(len(distort.drawn(always, draw)[0]) == 1 for draw in draws("distort", 50))


def test_jitter_draws_factors_about_1_in_every_order():
    param = ColorJitterParameter(brightness=0.4, contrast=0.3, saturation=0.2, hue=0.1, gray_prob=0.2)
    found = [jitter.drawn(param, draw, IMAGE) for draw in draws("jitter", 3000)]
    grey = [each for each in found if len(each) == 5]
    assert abs(len(grey) / len(found) - 0.2) < 0.03
    orders = {
        tuple(type(s).__name__ + str(isinstance(s, Scaled) and s.summands[0] == 0) for s in each[:4]) for each in found
    }
    assert len(orders) == 24
    brightness = [s.factors[0] for each in found for s in each if isinstance(s, Scaled) and not any(s.summands)]
    assert 0.6 <= min(brightness) < 0.61 and 1.39 < max(brightness) <= 1.4
    hues = [(s.sixths + 3) % 6 - 3 for each in found for s in each if isinstance(s, Turned)]
    assert -0.6 <= min(hues) < -0.58 and 0.58 < max(hues) <= 0.6
    assert jitter.drawn(ColorJitterParameter(), next(draws("jitter")), IMAGE) == []


def test_purposes_draw_apart_and_records_too():
    words = {
        (record, purpose): Draws(1, "d", record).of(purpose).word() for record in range(20) for purpose in PURPOSES
    }
    assert len(set(words.values())) == len(words)
    assert Draws(1, "d", 3).of("crop").word() == words[3, "crop"]
    assert Draws(2, "d", 3).of("crop").word() != words[3, "crop"] != Draws(1, "e", 3).of("crop").word()
    many = Draws(1, "d", 5).many("noise", 1000)
    assert np.array_equal(Draws(1, "d", 5).many("noise", 10), many[:10]) and len(set(many.tolist())) == 1000


def test_gaussian_noise_is_normal():
    levels = gaussian.normals()
    assert abs(levels.mean()) < 1e-6 and abs(levels.std() - 1) < 1e-3
    assert abs(np.mean(np.abs(levels) < 1) - 0.6827) < 1e-3 and 4.2 < levels.max() < 4.4
    grey = np.full((3, 40, 50), 128, np.uint8)
    param = GaussianNoiseParameter(std_lower=8, std_upper=8)
    noisy = gaussian.applied(param, Draws(1, "d", 0), grey).astype(float) - 128
    assert abs(noisy.std() - 8) < 0.3 and abs(noisy.mean()) < 0.3
    assert abs(np.corrcoef(noisy[0].ravel(), noisy[1].ravel())[0, 1]) < 0.1
    assert gaussian.applied(GaussianNoiseParameter(prob=0), Draws(1, "d", 0), grey) is grey


# --- RandAugment ------------------------------------------------------------------------------------------------------

FILL = np.array([9, 99, 199], np.uint8)


def test_rand_augment_draws_each_operation_alike():
    param = RandAugmentParameter(operations=2, magnitude=5)
    found = [each for draw in draws("rand_augment", 3500) for each in rand_augment.drawn(param, draw)]
    counts = {name: sum(n == name for n, _ in found) for name in rand_augment.OPERATIONS}
    assert len(found) == 7000 and min(counts.values()) > 420 and max(counts.values()) < 580
    assert {strength for _, strength in found} == {0.5, -0.5}
    assert rand_augment.drawn(RandAugmentParameter(prob=0), next(draws("rand_augment"))) == []


@pytest.mark.parametrize("name", rand_augment.OPERATIONS)
def test_without_strength_an_operation_changes_nothing(name):
    if name in ("auto_contrast", "equalize"):
        return  # they have none
    assert np.array_equal(rand_augment.applied(IMAGE, name, 0.0, FILL), IMAGE)


def test_operations_by_their_formulas():
    x = IMAGE.astype(float)

    def applied(name: str, strength: float = 0.5) -> np.ndarray:
        return rand_augment.applied(IMAGE, name, strength, FILL).astype(float)

    low, high = (x.min((1, 2), keepdims=True), x.max((1, 2), keepdims=True))
    assert np.abs(applied("auto_contrast") - (x - low) * 255 / (high - low)).max() <= 0.51
    assert np.array_equal(applied("solarize"), np.where(x >= 128, 255 - x, x))
    assert np.array_equal(applied("posterize"), x // 4 * 4)  # two bits less
    assert np.abs(applied("brightness", -0.5) - x * 0.55).max() <= 0.51
    grey = float(np.tensordot((0.114, 0.587, 0.299), x.mean((1, 2)), 1))
    assert np.abs(applied("contrast") - np.clip(x * 1.45 - 0.45 * grey, 0, 255)).max() <= 0.51
    pixel_grey = np.tensordot((0.114, 0.587, 0.299), x, 1)
    assert np.abs(applied("color", -1.0) - np.clip(0.9 * pixel_grey + 0.1 * x, 0, 255)).max() <= 0.51
    moved = applied("translate_x", 1.0)  # 150 of 331 of 19 columns: 8.61
    assert (moved[:, :, :8] == FILL[:, None, None]).all()
    place = 150 / 331 * 19
    share = 1 - place % 1
    expected = x[:, :, 5] * share + x[:, :, 4] * (1 - share)
    assert np.abs(moved[:, :, 13] - expected).max() <= 0.51
    smooth = sum(x[:, 1 + i : 11 + i, 1 + j : 18 + j] * (5 if (i, j) == (0, 0) else 1)
                 for i in (-1, 0, 1) for j in (-1, 0, 1)) / 13  # fmt: skip
    sharp = applied("sharpness", 0.5)
    assert np.abs(sharp[:, 1:-1, 1:-1] - np.clip(smooth + 1.45 * (x[:, 1:-1, 1:-1] - smooth), 0, 255)).max() <= 1.0
    assert np.array_equal(sharp[:, 0], x[:, 0])
